/**
 * What every store has to do about logs that begin late and states that arrive as a whole:
 * truncation, readings of a group, staging, installing. A power loss may come between any two
 * batches, and then either all of a batch is there or nothing of it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AssertionError } from '../../src/model/assert.ts';
import type { RowReading, Store, StoreImage, StoreOp } from '../../src/ports/store.ts';
import {
  append,
  descriptor,
  hard,
  header,
  label,
  noFault,
  outlineOf,
  plain,
  rowTexts,
  run,
  type StoreSubject,
  state,
  text,
  write,
} from './store.ts';

const truncate = (group: number, index: number, term: number): StoreOp => ({
  kind: 'truncate',
  group,
  index,
  term,
});

const stage = (group: number, ...rows: readonly (readonly [string, string])[]): StoreOp => ({
  kind: 'stage',
  group,
  rows: rows.map(([key, value]) => [text(key), text(value)]),
});

const install = (group: number, index: number, term: number, value = 'installed'): StoreOp => ({
  kind: 'install',
  group,
  index,
  term,
  descriptor: text(value),
});

async function textsOf(reading: RowReading, maxBytes = 1): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const rows = await reading.next(maxBytes);
    if (rows.length === 0) break;
    for (const [key, value] of rows) found.push(`${label(key)}=${label(value)}`);
  }
  await reading.close();
  return found;
}

const groupOf = (image: StoreImage, group = 1) => image.groups.find(one => one.group === group);

export function storeSnapshotSuite(name: string, makeSubject: () => Promise<StoreSubject>): void {
  describe(`late logs and whole states on ${name}`, () => {
    let subjects: StoreSubject[];
    let open: Store[];

    beforeEach(async () => {
      subjects = [await makeSubject()];
      open = [];
    });

    afterEach(async () => {
      for (const store of open) await store.close();
      for (const subject of subjects) await subject.dispose();
    });

    const start = async (subject = subjects[0]!): Promise<{ store: Store; image: StoreImage }> => {
      const store = subject.handle();
      const image = await store.open(noFault);
      open.push(store);
      return { store, image };
    };

    const restart = async (store: Store): Promise<{ store: Store; image: StoreImage }> => {
      await store.close();
      open = open.filter(other => other !== store);
      return start();
    };

    /** What another machine finds on the disk as it is now. */
    const afterPowerLoss = async (): Promise<{ store: Store; image: StoreImage }> => {
      const subject = await subjects[0]!.afterPowerLoss();
      subjects.push(subject);
      return start(subject);
    };

    /** Group 1 with entries 1 to 9 of terms 1 to 3, applied up to 7, and two rows. */
    const filled = async (): Promise<Store> => {
      await subjects[0]!.handle().create(header);
      const { store } = await start();
      await write(store, [
        descriptor(1),
        hard(1, 3, 0, 0),
        append(1, [...run(1, 2, 1), ...run(3, 6, 2)]),
      ]);
      await write(store, [hard(1, 3, 0, 8), append(1, run(7, 9, 3))]);
      await write(store, [
        state(
          1,
          [
            ['a', 'old'],
            ['b', 'old'],
          ],
          7,
          3,
        ),
      ]);
      return store;
    };

    describe('truncation', () => {
      const log = (store: Store, lo: number, hi: number): unknown[] =>
        plain(store.entries(1, lo, hi, Number.MAX_SAFE_INTEGER));

      test.each([
        [1, 1],
        [2, 1],
        [4, 2],
        [6, 2],
        [7, 3],
      ])('at %i: what is behind it is there, at once and after a restart', async (index, term) => {
        const store = await filled();
        await write(store, [truncate(1, index, term)]);
        const expected = [...run(3, 6, 2), ...run(7, 9, 3)].filter(entry => entry.index > index);
        if (index === 1) expected.unshift(...run(2, 2, 1));
        expect(log(store, index + 1, 10)).toEqual(plain(expected));
        for (const { store: again, image } of [await afterPowerLoss(), await restart(store)]) {
          expect(groupOf(image)).toMatchObject({
            firstIndex: index + 1,
            lastIndex: 9,
            truncatedTerm: term,
            applied: 7,
            outline: { runs: outlineOf(expected).runs },
          });
          expect(groupOf(image)?.outline.size.bytes).toBe(outlineOf(expected).size.bytes);
          expect(log(again, index + 1, 10)).toEqual(plain(expected));
          expect(await rowTexts(again, 1)).toEqual(['a=old', 'b=old']);
        }
      });

      test('entries that are gone cannot be asked for', async () => {
        const store = await filled();
        await write(store, [truncate(1, 4, 2)]);
        expect(() => store.entries(1, 4, 6, 1_000)).toThrow(AssertionError);
      });

      test('a log goes on behind its truncation, overwrites included, and is truncated again', async () => {
        const store = await filled();
        await write(store, [truncate(1, 7, 3)]);
        await write(store, [append(1, run(10, 12, 3))]);
        await write(store, [hard(1, 4, 0, 8), append(1, run(9, 11, 4))]);
        const expected = plain([...run(8, 8, 3), ...run(9, 11, 4)]);
        expect(log(store, 8, 12)).toEqual(expected);
        await write(store, [hard(1, 4, 0, 11), state(1, [], 11, 4)]);
        await write(store, [truncate(1, 10, 4)]);
        const { store: again, image } = await restart(store);
        expect(groupOf(image)).toMatchObject({ firstIndex: 11, lastIndex: 11, truncatedTerm: 4 });
        expect(groupOf(image)?.outline.runs).toEqual([{ first: 11, term: 4 }]);
        expect(log(again, 11, 12)).toEqual(plain(run(11, 11, 4)));
      });

      test('a log may be truncated to its end and go on from there', async () => {
        const store = await filled();
        await write(store, [hard(1, 3, 0, 9), state(1, [], 9, 3)]);
        await write(store, [truncate(1, 9, 3)]);
        const { store: again, image } = await restart(store);
        expect(groupOf(image)).toMatchObject({ firstIndex: 10, lastIndex: 9, truncatedTerm: 3 });
        await write(again, [append(1, run(10, 10, 3))]);
        const { store: third } = await restart(again);
        expect(log(third, 10, 11)).toEqual(plain(run(10, 10, 3)));
      });

      test('a tail that was overwritten does not come back when what replaced it is gone', async () => {
        await subjects[0]!.handle().create(header);
        const { store } = await start();
        await write(store, [descriptor(1), hard(1, 1, 0, 0), append(1, run(1, 10, 1))]);
        await write(store, [hard(1, 2, 0, 7), append(1, run(5, 7, 2))]);
        await write(store, [state(1, [], 7, 2)]);
        await write(store, [truncate(1, 7, 2)]);
        for (const { image } of [await afterPowerLoss(), await restart(store)]) {
          expect(groupOf(image)).toMatchObject({ firstIndex: 8, lastIndex: 7, truncatedTerm: 2 });
        }
      });

      test.each([
        ['beyond what is applied', [truncate(1, 8, 3)]],
        ['back', [truncate(1, 5, 2), truncate(1, 4, 2)]],
        ['to a later term than is applied', [truncate(1, 7, 4)]],
      ])('truncation %s is refused as a bug', async (_, ops) => {
        const store = await filled();
        expect(() => store.write(ops, () => undefined)).toThrow(AssertionError);
      });
    });

    describe('a reading of a group', () => {
      test('shows one state, whatever is written, installed or removed meanwhile', async () => {
        const store = await filled();
        const reading = store.readGroup(1);
        const other = store.readGroup(1);
        expect(reading).toMatchObject({ descriptor: text('d'), applied: 7, appliedTerm: 3 });
        const [first] = await reading.next(1);
        await write(store, [
          descriptor(1, 'later'),
          state(
            1,
            [
              ['a', undefined],
              ['c', 'new'],
            ],
            8,
            3,
          ),
        ]);
        const later = store.readGroup(1);
        expect(later).toMatchObject({ descriptor: text('later'), applied: 8 });
        await write(store, [hard(1, 3, 0, 20), stage(1, ['z', 'staged']), install(1, 20, 3)]);
        await write(store, [{ kind: 'remove', group: 1, tombstone: 9 }]);
        expect(label(first?.[0])).toBe('a');
        expect(await textsOf(reading)).toEqual(['b=old']);
        expect(await textsOf(other, 1_000)).toEqual(['a=old', 'b=old']);
        expect(await textsOf(later)).toEqual(['b=old', 'c=new']);
      });

      test('gives rows in pieces of about the size asked for', async () => {
        const store = await filled();
        const rows = Array.from({ length: 700 }, (_, at) => [`k${at + 1_000}`, 'v'.repeat(100)]);
        await write(store, [state(1, rows as [string, string][], 7, 3)]);
        const reading = store.readGroup(1);
        const sizes: number[] = [];
        for (;;) {
          const { length } = await reading.next(10_000);
          if (length === 0) break;
          sizes.push(length);
        }
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(702);
        expect(Math.max(...sizes)).toBeLessThan(110);
        await reading.close();
        await reading.close();
      });

      test('a store that closes ends the readings that are left open', async () => {
        const store = await filled();
        store.readGroup(1);
        await restart(store);
      });
    });

    describe('a snapshot that is received', () => {
      const staged = [stage(1, ['b', 'new'], ['x', 'new']), stage(1, ['y', 'new'])];
      const flip = [install(1, 50, 5), hard(1, 6, 2, 50)];

      test('is not seen before it is installed', async () => {
        const store = await filled();
        for (const op of staged) await write(store, [op]);
        expect(await rowTexts(store, 1)).toEqual(['a=old', 'b=old']);
        expect(await textsOf(store.stagedRows(1))).toEqual(['b=new', 'x=new', 'y=new']);
      });

      test('becomes the state in one step, and the log begins behind it', async () => {
        const store = await filled();
        for (const op of staged) await write(store, [op]);
        await write(store, flip);
        await write(store, [append(1, run(51, 52, 6))]);
        const seen = [await afterPowerLoss(), await restart(store)];
        for (const { store: again, image } of seen) {
          expect(groupOf(image)).toEqual({
            group: 1,
            descriptor: text('installed'),
            hard: { term: 6, vote: 2, commit: 50 },
            firstIndex: 51,
            lastIndex: 52,
            truncatedTerm: 5,
            applied: 50,
            appliedTerm: 5,
            outline: outlineOf(run(51, 52, 6)),
          });
          expect(await rowTexts(again, 1)).toEqual(['b=new', 'x=new', 'y=new']);
          expect(await textsOf(again.stagedRows(1))).toEqual([]);
          expect(plain(again.entries(1, 51, 53, 1_000))).toEqual(plain(run(51, 52, 6)));
        }
      });

      test('entries may follow in the batch that installs it', async () => {
        const store = await filled();
        await write(store, staged);
        await write(store, [...flip, append(1, run(51, 51, 6))]);
        expect(plain(store.entries(1, 51, 52, 1_000))).toEqual(plain(run(51, 51, 6)));
        expect(groupOf((await restart(store)).image)).toMatchObject({ lastIndex: 51 });
      });

      test('leaves nothing behind where the power fails before it is installed', async () => {
        const store = await filled();
        for (const op of staged) {
          await write(store, [op]);
          const { store: again, image } = await afterPowerLoss();
          expect(groupOf(image)).toMatchObject({ descriptor: text('d'), lastIndex: 9, applied: 7 });
          expect(await rowTexts(again, 1)).toEqual(['a=old', 'b=old']);
          expect(await textsOf(again.stagedRows(1))).toEqual([]);
          // What comes next is not mixed with what was left.
          await write(again, [stage(1, ['q', 'next'])]);
          await write(again, flip);
          expect(await rowTexts(again, 1)).toEqual(['q=next']);
        }
      });

      test('can be given up and begun again', async () => {
        const store = await filled();
        await write(store, staged);
        await write(store, [{ kind: 'unstage', group: 1 }]);
        expect(await textsOf(store.stagedRows(1))).toEqual([]);
        await write(store, [stage(1, ['q', 'second'])]);
        await write(store, flip);
        expect(await rowTexts(store, 1)).toEqual(['q=second']);
        expect(await rowTexts((await restart(store)).store, 1)).toEqual(['q=second']);
      });

      test('may be empty', async () => {
        const store = await filled();
        await write(store, flip);
        const { store: again, image } = await restart(store);
        expect(groupOf(image)).toMatchObject({ firstIndex: 51, lastIndex: 50, applied: 50 });
        expect(await rowTexts(again, 1)).toEqual([]);
      });

      test('goes with its group when that is removed, and a new life sees none of it', async () => {
        const store = await filled();
        await write(store, staged);
        await write(store, [{ kind: 'remove', group: 1, tombstone: 4 }, descriptor(1, 'new')]);
        expect(await textsOf(store.stagedRows(1))).toEqual([]);
        await write(store, [stage(1, ['q', 'second']), hard(1, 6, 2, 50), install(1, 50, 5)]);
        expect(await rowTexts((await restart(store)).store, 1)).toEqual(['q=second']);
      });

      test('follows another one', async () => {
        let store = await filled();
        for (let round = 1; round <= 3; round++) {
          await write(store, [stage(1, ['n', `${round}`])]);
          const index = 50 * round;
          await write(store, [install(1, index, 5), hard(1, 6, 2, index)]);
          await write(store, [append(1, run(index + 1, index + 2, 6))]);
          ({ store } = await restart(store));
          expect(await rowTexts(store, 1)).toEqual([`n=${round}`]);
        }
      });

      test.each([
        ['below what is committed', [install(1, 8, 3)]],
        ['without a hard state that commits it', [install(1, 50, 3)]],
        ['of a later term than the hard state', [install(1, 50, 7), hard(1, 6, 2, 50)]],
        ['of a group that is not there', [install(2, 50, 5)]],
      ])('one %s is refused as a bug', async (_, ops) => {
        const store = await filled();
        expect(() => store.write(ops, () => undefined)).toThrow(AssertionError);
      });
    });
  });
}
