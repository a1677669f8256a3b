/** What the writing process writes, and the check that each batch is there as a whole. */
import type { Store, StoreImage, StoreOp } from '../../src/ports/store.ts';

const key = (count: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count);
  return bytes;
};

/** Several hundred bytes that follow from the number. */
export const payloadOf = (count: number): Uint8Array =>
  Uint8Array.from({ length: 700 }, (_, position) => (count * 7 + position * 13) % 251);

export const firstBatch: StoreOp[] = [
  { kind: 'descriptor', group: 1, value: new Uint8Array() },
  { kind: 'hard', group: 1, hard: { term: 1, vote: 1, commit: 0 } },
];

/**
 * Rows of batch `count`: one, or twenty, so that few large values and many small ones, which reach
 * the database by different ways, take turns.
 */
const rowsOf = (count: number): (readonly [Uint8Array, Uint8Array])[] =>
  Array.from({ length: count % 2 === 0 ? 20 : 1 }, (_, position) => {
    return [key(count * 20 + position), payloadOf(count + position)] as const;
  });

const truncateEvery = 10;
const installEvery = 4;

/** Last entry that is gone after batch `count`. */
const truncatedAt = (count: number): number => {
  const newest = count - (count % truncateEvery);
  return newest === 0 ? 0 : 2 * newest - 9;
};

/** A row of a snapshot for group 2 in each batch; with every fourth one it is installed. */
function snapshotOf(count: number): StoreOp[] {
  const index = 10 * count;
  const hard = (commit: number): StoreOp => ({
    kind: 'hard',
    group: 2,
    hard: { term: 1, vote: 1, commit },
  });
  const descriptor = key(count);
  return [
    ...(count === 1
      ? [{ kind: 'descriptor' as const, group: 2, value: new Uint8Array() }, hard(0)]
      : []),
    { kind: 'stage', group: 2, rows: [[key(count), payloadOf(count)]] },
    ...(count % installEvery === 0
      ? [{ kind: 'install' as const, group: 2, index, term: 1, descriptor }, hard(index)]
      : []),
  ];
}

/** Batch `count`, from 1: two entries, rows and the indices that go with them. */
export const batchOf = (count: number): StoreOp[] => [
  ...snapshotOf(count),
  ...(count % truncateEvery === 0
    ? [{ kind: 'truncate' as const, group: 1, index: truncatedAt(count), term: 1 }]
    : []),
  {
    kind: 'entries',
    group: 1,
    entries: [2 * count - 1, 2 * count].map(index => ({
      term: 1,
      index,
      type: 0,
      data: payloadOf(index),
    })),
  },
  { kind: 'hard', group: 1, hard: { term: 1, vote: 1, commit: 2 * count } },
  {
    kind: 'state',
    group: 1,
    applied: 2 * count,
    appliedTerm: 1,
    rows: rowsOf(count),
  },
  { kind: 'meta', key: 'count', value: key(count) },
];

const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/**
 * Group 2 is what the newest install made it: rows of consecutive batches that end with its own,
 * fewer than usual where the process ended in between; nothing of what was staged after it.
 */
async function checkSnapshot(store: Store, image: StoreImage, count: number): Promise<void> {
  const newest = count - (count % installEvery);
  const group = image.groups[1];
  const rows = await store.rows(2, { from: key(0), to: key(2 ** 32 - 1), limit: 1e9 });
  const firstRow = newest - rows.length + 1;
  const right =
    group?.applied === 10 * newest &&
    group.firstIndex === 10 * newest + 1 &&
    same(group.descriptor, newest === 0 ? new Uint8Array() : key(newest)) &&
    rows.length <= installEvery &&
    rows.length > 0 === newest > 0 &&
    rows.every(([at, value], position) => {
      const number = firstRow + position;
      return same(at, key(number)) && same(value, payloadOf(number));
    });
  if (!right) throw new Error(`the snapshot of batch ${newest} is not there as it was installed`);
}

/** How many batches are there. Throws unless exactly those, each with all of its parts. */
export async function countBatches(store: Store, image: StoreImage): Promise<number> {
  const group = image.groups[0];
  if (group === undefined || group.lastIndex === 0) return 0;
  const count = group.lastIndex / 2;
  const counted = image.meta.get('count');
  const whole =
    group.applied === group.lastIndex &&
    group.hard.commit === group.lastIndex &&
    counted !== undefined &&
    same(counted, key(count));
  if (!whole) throw new Error(`parts of batches: ${JSON.stringify({ group, counted })}`);
  const rows = await store.rows(1, { from: key(0), to: key(2 ** 32 - 1), limit: 1e9 });
  await checkSnapshot(store, image, count);
  const first = truncatedAt(count) + 1;
  if (group.firstIndex !== first) throw new Error(`the log begins at ${group.firstIndex}`);
  const entries = store.entries(1, first, group.lastIndex + 1, Number.MAX_SAFE_INTEGER);
  const expected = Array.from({ length: count }, (_, position) => rowsOf(position + 1)).flat();
  const right =
    rows.length === expected.length &&
    expected.every(([at, value], position) => {
      const found = rows[position];
      return found !== undefined && same(found[0], at) && same(found[1], value);
    }) &&
    entries.length === 2 * count - truncatedAt(count) &&
    entries.every(({ index, data }, position) => {
      return index === first + position && same(data, payloadOf(index));
    });
  if (!right) throw new Error(`wrong rows or entries: ${rows.length} rows of ${expected.length}`);
  return count;
}
