/** Listing pages over shards: nothing twice, nothing left out. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTaskId, type ShardId } from '../../../src/model/ids.ts';
import {
  type Bounds,
  decodeListCursor,
  encodeListCursor,
  nextBounds,
} from '../../../src/node/list-cursor.ts';

interface Row {
  readonly id: string;
  readonly shard: ShardId;
  readonly wanted: boolean;
}

const newestFirst = (left: Row, right: Row): number => (left.id < right.id ? 1 : -1);

/** What a shard answers: as `TaskList` does, at most `scan` rows are looked at. */
function answer(
  rows: readonly Row[],
  shard: ShardId,
  limit: number,
  scan: number,
  below: string,
): { readonly found: Row[]; readonly lowest?: string | undefined } {
  const mine = rows.filter(row => row.shard === shard && (below === '' || row.id < below));
  mine.sort(newestFirst);
  const found: Row[] = [];
  let lowest: string | undefined;
  let looked = 0;
  for (const row of mine) {
    if (found.length >= limit || looked >= scan) return { found, lowest };
    lowest = row.id;
    looked++;
    if (row.wanted) found.push(row);
  }
  return { found };
}

function listAll(
  rows: readonly Row[],
  options: {
    readonly limit: number;
    readonly scan: number;
    readonly missing: (page: number) => readonly ShardId[];
  },
): string[] {
  const shown: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 1_000; page++) {
    const before = decodeListCursor(cursor);
    const missing: ShardId[] = [];
    const found: Row[] = [];
    const more: Record<string, string> = {};
    for (const shard of [1, 2, 3]) {
      if (before !== undefined && before[shard] === undefined) continue;
      if (options.missing(page).includes(shard)) {
        missing.push(shard);
        continue;
      }
      const got = answer(rows, shard, options.limit, options.scan, before?.[shard] ?? '');
      found.push(...got.found);
      if (got.lowest !== undefined) more[shard] = got.lowest;
    }
    found.sort(newestFirst);
    shown.push(...found.slice(0, options.limit).map(row => row.id));
    const next: Bounds | undefined = nextBounds({
      before,
      found,
      shown: Math.min(options.limit, found.length),
      more,
      missing,
    });
    if (next === undefined) return shown;
    cursor = encodeListCursor(next);
  }
  throw new Error('the listing does not end');
}

const anyRows = fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }).chain(times =>
  fc.tuple(
    ...times.map(atMs =>
      fc.record({ shard: fc.integer({ min: 1, max: 3 }), wanted: fc.boolean() }).map(rest => ({
        ...rest,
        id: formatTaskId({ atMs, slot: rest.shard, random: 0 }) as string,
      })),
    ),
  ),
) as fc.Arbitrary<Row[]>;

describe('pages of a listing', () => {
  test('show a task once though its shard had no place on the page between', () => {
    const row = (atMs: number, shard: ShardId): Row => ({
      id: formatTaskId({ atMs, slot: 0, random: 0 }),
      shard,
      wanted: true,
    });
    const rows = [row(5, 1), row(4, 2), row(3, 2), row(2, 2), row(1, 1)];
    const ids = listAll(rows, { limit: 2, scan: 100, missing: () => [] });
    expect(ids).toEqual(rows.map(({ id }) => id));
  });

  test('hold every wanted task exactly once', () => {
    fc.assert(
      fc.property(
        anyRows,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 9 }),
        (rows, limit, scan) => {
          const shown = listAll(rows, { limit, scan, missing: () => [] });
          const wanted = rows.filter(row => row.wanted).map(row => row.id);
          expect([...shown].sort()).toEqual(wanted.sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  test('leave out nothing of the shards that answer, and show nothing twice, when one is away', () => {
    fc.assert(
      fc.property(
        anyRows,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 6 }),
        (rows, limit, scan, awayUntil) => {
          const missing = (page: number): ShardId[] => (page < awayUntil ? [2] : []);
          const shown = listAll(rows, { limit, scan, missing });
          expect(new Set(shown).size).toBe(shown.length);
          for (const row of rows) {
            if (row.wanted && row.shard !== 2) expect(shown).toContain(row.id);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('refuse a cursor that no listing gave', () => {
    for (const text of ['', 'null', '[]x', '{"1":5}', '{"a":""}', '{"1":"short"}', '7']) {
      const cursor = Buffer.from(text).toString('base64url');
      expect(() => decodeListCursor(cursor)).toThrow(
        expect.objectContaining({ code: 'badRequest' }),
      );
    }
  });
});
