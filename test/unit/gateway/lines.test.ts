import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Intake } from '../../../src/gateway/intake.ts';
import { type LineReading, readLines } from '../../../src/gateway/lines.ts';

async function linesOf(
  chunks: readonly Uint8Array[],
  lineBytesMax = 1_000,
  linesMax = 3,
  room = new Intake(0),
) {
  const lists: LineReading[][] = [];
  const stream = Readable.from(chunks.map(chunk => Buffer.from(chunk)));
  for await (const list of readLines(stream, { lineBytesMax, linesMax, room })) {
    lists.push([...list]);
  }
  expect(room.bytes).toBe(0);
  return lists;
}

test('lines are the same however the bytes are cut', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', '{', 'é', ' '), maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 12 }),
      fc.array(fc.nat(80), { maxLength: 6 }),
      fc.boolean(),
      async (texts, cuts, ends) => {
        const all = Buffer.from(texts.join('\n') + (ends ? '\n' : ''));
        const places = [...new Set([0, ...cuts.filter(cut => cut < all.length), all.length])];
        places.sort((left, right) => left - right);
        const chunks = places.slice(1).map((to, at) => all.subarray(places[at]!, to));
        const lists = await linesOf(chunks);
        expect(lists.every(list => list.length > 0 && list.length <= 3)).toBe(true);
        const read = lists.flat().map(entry => {
          expect(entry.kind).toBe('line');
          return [entry.number, entry.kind === 'line' ? entry.bytes.toString() : ''];
        });
        const expected = texts
          .map((text, at): [number, string] => [at + 1, text])
          .filter(([, text]) => text.trim() !== '');
        expect(read).toEqual(expected);
      },
    ),
  );
});

test('lines that are at hand together come in one list', async () => {
  const lists = await linesOf([Buffer.from('a\nb\n'), Buffer.from('c\n')]);
  expect(lists.map(list => list.length)).toEqual([2, 1]);
});

test.each([
  ['in one chunk', ['ok\n', 'xxxxxx\nlater\n']],
  ['over several', ['ok\nxxx', 'xxx', 'xxx\nlater\n']],
  ['without an end', ['ok\nxxxxxxxxx']],
])('a line over the bound ends the reading, %s', async (_name, chunks) => {
  const lists = await linesOf(
    chunks.map(chunk => Buffer.from(chunk)),
    5,
  );
  expect(lists.flat().map(line => [line.kind, line.number])).toEqual([
    ['line', 1],
    ['tooLong', 2],
  ]);
});

test('what has come of a long line takes room; where there is none the stream ends', async () => {
  const kib = 1024;
  const piece = Buffer.alloc(20 * kib, 'x');
  const held: number[] = [];
  class Watched extends Intake {
    override take(bytes: number): void {
      super.take(bytes);
      held.push(this.bytes);
    }
  }
  const read = (bytesMax: number) => {
    const chunks = [Buffer.from('a\n'), piece, piece, piece, Buffer.from('\nb\n')];
    return linesOf(chunks, 100 * kib, 3, new Watched(bytesMax));
  };
  const kinds = (lists: readonly (readonly LineReading[])[]): string[] =>
    lists.flat().map(({ kind, number }) => `${kind} ${number}`);
  expect(kinds(await read(60 * kib))).toEqual(['line 1', 'line 2', 'line 3']);
  expect(held).toEqual([20 * kib, 40 * kib, 60 * kib]);
  expect(kinds(await read(59 * kib))).toEqual(['line 1', 'noRoom 2']);
});
