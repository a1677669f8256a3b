/** The tables that hold tasks, IDs, keys and specs, each against a plain map. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTaskId, slotCount, type TaskId } from '../../../src/model/ids.ts';
import { keySlot, mix32 } from '../../../src/model/slots.ts';
import { rowsInIdOrder } from '../../../src/shard/memory/id-order.ts';
import { hashWords, idWordMask, packId, unpackId } from '../../../src/shard/memory/id-words.ts';
import { hashKey } from '../../../src/shard/memory/key-hash.ts';
import { KnownKeys, SettledIds } from '../../../src/shard/memory/known-ids.ts';
import { RowHeap } from '../../../src/shard/memory/row-heap.ts';
import { SettledSpecs } from '../../../src/shard/memory/settled-specs.ts';
import { SpecTable } from '../../../src/shard/memory/spec-table.ts';
import { none, TaskTable } from '../../../src/shard/memory/task-table.ts';
import { demandOf } from '../../../src/shard/memory/traits.ts';
import { aSpec, idOf, specEntry } from '../../support/shard.ts';

function wordsOf(id: TaskId): Uint32Array {
  const words = new Uint32Array(4);
  if (!packId(id, words)) throw new Error(`not an ID: ${id}`);
  return words;
}

const text = (words: Uint32Array): TaskId => unpackId(words[0]!, words[1]!, words[2]!, words[3]!);

const anId = fc
  .record({
    atMs: fc.nat({ max: 2 ** 48 - 1 }),
    slot: fc.nat({ max: slotCount - 1 }),
    random: fc.nat({ max: 2 ** 40 - 1 }),
  })
  .map(formatTaskId);

/** Words of a digest that only differ in the bits that are given. */
const digestOf = (n: number): Uint32Array => Uint32Array.of(mix32(n), n, 3, 4);

describe('ID words', () => {
  test('give the text back and compare as the text does', () => {
    fc.assert(
      fc.property(anId, anId, (left, right) => {
        const [l, r] = [wordsOf(left), wordsOf(right)];
        expect(text(l)).toBe(left);
        expect(l.every(word => word <= idWordMask)).toBe(true);
        const at = l.findIndex((word, position) => word !== r[position]);
        expect(at < 0 ? 0 : Math.sign(l[at]! - r[at]!)).toBe(left < right ? -1 : +(left > right));
      }),
    );
  });

  test.each([
    '',
    '0123456789',
    '0123456789abcdefghj',
    '0123456789abcdefghjkm',
    '0123456789ABCDEFGHJK',
    '0123456789abcdefghil',
    '0123456789abcdefghj\u0131',
    '0123456789abcdefghj ',
  ])('refuse %j, which is not the canonical spelling of an ID', spelling => {
    expect(packId(spelling, new Uint32Array(4))).toBe(false);
  });

  test('spread IDs of one millisecond over the hash', () => {
    const seen = new Set<number>();
    for (let n = 0; n < 1_000; n++) {
      const [a, b, c, d] = wordsOf(formatTaskId({ atMs: 5, slot: 7, random: n }));
      seen.add(hashWords(a!, b!, c!, d!) & 0xffff);
    }
    expect(seen.size).toBeGreaterThan(960);
  });
});

describe('the task table', () => {
  const operation = fc.record({ id: fc.nat({ max: 60 }), remove: fc.boolean() });

  test('finds exactly what was inserted and not removed, rows reused', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400, size: 'max' }), operations => {
        const table = new TaskTable();
        const rows = new Map<TaskId, number>();
        for (const { id: n, remove } of operations) {
          const id = idOf(n);
          const row = rows.get(id);
          if (remove && row !== undefined) {
            table.remove(row);
            rows.delete(id);
          } else if (!remove && row === undefined) {
            rows.set(id, table.insert(wordsOf(id)));
          }
          expect(table.size).toBe(rows.size);
        }
        for (let n = 0; n <= 60; n++) {
          expect(table.find(wordsOf(idOf(n)))).toBe(rows.get(idOf(n)) ?? -1);
        }
        expect(table.rowsEnd).toBeLessThanOrEqual(61);
      }),
      { numRuns: 50 },
    );
  });

  test('starts every row empty, one that was used before too', () => {
    const table = new TaskTable();
    const row = table.insert(wordsOf(idOf(1)));
    table.setState(row, 3);
    table.setFence(row, 4);
    table.setRuns(row, 5);
    table.setLost(row, 2);
    table.setSpec(row, 6);
    table.setSubmittedAt(row, 7);
    table.setReadySince(row, 8);
    table.setBackedOff(row, true);
    table.setDirty(row, true);
    table.setTaken(row, 9);
    table.setPlace(row, 10);
    table.ensureDetail(row).reason = 'old';
    table.remove(row);
    expect(table.insert(wordsOf(idOf(2)))).toBe(row);
    const fields = [table.state(row), table.fence(row), table.runs(row), table.lost(row)];
    const more = [table.spec(row), table.submittedAt(row), table.readySince(row), table.taken(row)];
    expect([...fields, ...more]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect([table.isBackedOff(row), table.isDirty(row)]).toEqual([false, false]);
    expect(table.place(row)).toBe(none);
    expect(table.detail(row)).toBeUndefined();
  });

  test('gives its memory back when a hundred thousand tasks have left', () => {
    const table = new TaskTable();
    const rows: number[] = [];
    for (let n = 0; n < 100_000; n++) rows.push(table.insert(wordsOf(idOf(n))));
    expect(table.bytes / 100_000).toBeLessThan(62);
    expect(table.find(wordsOf(idOf(77_777)))).toBe(rows[77_777]);
    for (const row of rows) table.remove(row);
    expect(table.bytes).toBeLessThan(10_000);
    expect(table.find(wordsOf(idOf(77_777)))).toBe(-1);
    const again = table.insert(wordsOf(idOf(5)));
    expect(table.find(wordsOf(idOf(5)))).toBe(again);
  });
});

describe('what a task with a spec of its own takes', () => {
  test.each([4_200, 8_300, 16_500, 17_200, 33_000])('is little of %d as well', count => {
    const table = new TaskTable();
    const specs = new SpecTable();
    const traits = specs.internTraits(aSpec());
    for (let n = 0; n < count; n++) {
      const row = table.insert(wordsOf(idOf(n)));
      table.setSpec(row, specs.add(digestOf(n), traits, undefined));
    }
    expect((table.bytes + specs.bytes) / count).toBeLessThan(96);
    const known = Array.from({ length: count }, (_, n) => specs.find(digestOf(n)));
    expect(known).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(specs.find(digestOf(count))).toBe(-1);
  });

  test('is a few bytes more once one of them has an idempotency key', () => {
    const specs = new SpecTable();
    const traits = specs.internTraits(aSpec());
    for (let n = 0; n < 1_000; n++) specs.add(digestOf(n), traits, undefined);
    const before = specs.bytes;
    const keyed = specs.add(digestOf(1_000), traits, { key: hashKey('t', 'a') });
    const keyless = specs.add(digestOf(1_001), traits, undefined);
    for (let n = 1_002; n < 1_024; n++) specs.add(digestOf(n), traits, undefined);
    expect(specs.bytes - before).toBe(1_024 * 10);
    const more = specs.add(digestOf(1_024), traits, { key: hashKey('t', 'b') });
    expect([0, keyed, keyless, more].map(spec => specs.key(spec))).toEqual([
      undefined,
      hashKey('t', 'a'),
      undefined,
      hashKey('t', 'b'),
    ]);
  });
});

describe('a row heap', () => {
  test('gives the first rows in order whatever was pushed and removed', () => {
    const operation = fc.record({ id: fc.nat({ max: 40 }), sinceMs: fc.nat({ max: 5 }) });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 200, size: 'max' }),
        fc.nat(50),
        (list, limit) => {
          const table = new TaskTable();
          const heap = new RowHeap(table);
          const queued = new Map<TaskId, number>();
          for (const { id: n, sinceMs } of list) {
            const id = idOf(n);
            const row = table.find(wordsOf(id));
            if (queued.delete(id)) {
              heap.remove(row);
              table.remove(row);
            } else {
              const added = table.insert(wordsOf(id));
              table.setReadySince(added, sinceMs);
              heap.push(added);
              queued.set(id, sinceMs);
            }
            const inOrder = [...queued].sort(
              ([left, l], [right, r]) => l - r || (left < right ? -1 : 1),
            );
            const wanted = inOrder.slice(0, limit).map(([queuedId]) => queuedId);
            expect(heap.firstRows(limit).map(found => table.id(found))).toEqual(wanted);
            expect(heap.size).toBe(queued.size);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('IDs in order', () => {
  test('come forwards and backwards, filtered', () => {
    const table = new TaskTable();
    for (const n of [5, 3, 9, 1, 7, 2]) table.insert(wordsOf(idOf(n)));
    const walk = (reverse: boolean): TaskId[] => {
      const accepts = (row: number): boolean => table.id(row) !== idOf(3);
      return [...rowsInIdOrder(table, { accepts, reverse })].map(row => table.id(row));
    };
    expect(walk(false)).toEqual([1, 2, 5, 7, 9].map(n => idOf(n)));
    expect(walk(true)).toEqual([9, 7, 5, 2, 1].map(n => idOf(n)));
  });
});

describe('known IDs and keys', () => {
  test('recognise ten thousand settled IDs and no other, with their digests', () => {
    const settled = new SettledIds();
    for (let n = 0; n < 10_000; n++) settled.add(wordsOf(idOf(n)), mix32(n));
    expect(settled.size).toBe(10_000);
    const wrong: number[] = [];
    for (let n = 0; n < 10_000; n++) {
      const words = wordsOf(idOf(n));
      const other = wordsOf(idOf(n + 10_000));
      const isRight = settled.has(words) && settled.matches(words, mix32(n));
      const isOtherDigest = settled.matches(words, mix32(n) ^ (1 << (5 + (n % 27))));
      const isOtherId = settled.has(other) || settled.matches(other, mix32(n));
      if (!isRight || isOtherDigest || isOtherId) wrong.push(n);
    }
    expect(wrong).toEqual([]);
    expect(settled.bytes / 10_000).toBeLessThan(27);
  });

  test('an ID settles once', () => {
    const settled = new SettledIds();
    settled.add(wordsOf(idOf(0)), 0);
    expect(() => settled.add(wordsOf(idOf(0)), 0)).toThrow('settles once');
  });

  test('also hold the ID of all zeros', () => {
    const zero = new Uint32Array(4);
    const settled = new SettledIds();
    expect(settled.has(zero)).toBe(false);
    settled.add(zero, 0);
    expect(settled.has(zero)).toBe(true);
    const keys = new KnownKeys();
    keys.add(0, 0, zero);
    expect(keys.find(0, 0, new Uint32Array(4))).toBe(true);
  });

  test('give the task of each of ten thousand keys', () => {
    const keys = new KnownKeys();
    for (let n = 0; n < 10_000; n++) {
      const { high, low } = hashKey('tenant', `key-${n}`);
      keys.add(high, low, wordsOf(idOf(n)));
    }
    const out = new Uint32Array(4);
    const wrong: number[] = [];
    for (let n = 0; n < 10_000; n++) {
      const { high, low } = hashKey('tenant', `key-${n}`);
      const isRight = keys.find(high, low, out) && text(out) === idOf(n);
      const other = hashKey('another', `key-${n}`);
      if (!isRight || keys.find(other.high, other.low, out)) wrong.push(n);
    }
    expect(wrong).toEqual([]);
    expect(keys.size).toBe(10_000);
  });

  test('forget exactly what expired, and give the memory back', () => {
    const operation = fc.record({ n: fc.nat({ max: 200 }), remove: fc.boolean() });
    const history = fc.array(operation, { maxLength: 1_000, size: 'max' });
    fc.assert(
      fc.property(history, operations => {
        const settled = new SettledIds();
        const keys = new KnownKeys();
        const uses = new SettledSpecs();
        const model = new Set<number>();
        // Few homes: what probed past a hole has to move.
        const keyOf = (n: number) => [n & 3, n] as const;
        const step = (n: number, remove: boolean): void => {
          const words = wordsOf(idOf(n));
          if (remove === model.has(n)) {
            if (remove) settled.remove(words);
            else settled.add(words, mix32(n));
            if (remove) keys.remove(...keyOf(n), words);
            else keys.add(...keyOf(n), words);
            if (remove) expect(uses.remove(Uint32Array.of(n & 3, n, 0, 0))).toBe(true);
            else uses.add(Uint32Array.of(n & 3, n, 0, 0), `t${n % 3}`);
          }
          if (remove) model.delete(n);
          else model.add(n);
        };
        for (const { n, remove } of operations) step(n, remove);
        const out = new Uint32Array(4);
        const all = Array.from({ length: 201 }, (_, n) => n);
        const known = all.filter(n => model.has(n));
        expect(all.filter(n => settled.matches(wordsOf(idOf(n)), mix32(n)))).toEqual(known);
        expect(all.filter(n => keys.find(...keyOf(n), out) && text(out) === idOf(n))).toEqual(
          known,
        );
        const ofTenant = [0, 1, 2].map(t => known.filter(n => n % 3 === t).length);
        const counted = new Map(uses.byTenant());
        expect([0, 1, 2].map(t => counted.get(`t${t}`) ?? 0)).toEqual(ofTenant);
        expect(all.filter(n => uses.count(Uint32Array.of(n & 3, n, 0, 0)) === 1)).toEqual(known);
        for (const n of known) step(n, true);
        expect([settled.size, keys.size, uses.specs, uses.tasks]).toEqual([0, 0, 0, 0]);
        expect([...uses.byTenant()]).toEqual([]);
        expect([settled.bytes, keys.bytes, uses.bytes]).toEqual([256, 384, 256]);
      }),
      { numRuns: 50 },
    );
  });

  test('a key stays with the task that has it, whoever else expires', () => {
    const keys = new KnownKeys();
    keys.add(1, 2, wordsOf(idOf(1)));
    keys.remove(1, 2, wordsOf(idOf(2)));
    expect(keys.find(1, 2, new Uint32Array(4))).toBe(true);
    keys.remove(1, 2, wordsOf(idOf(1)));
    expect(keys.find(1, 2, new Uint32Array(4))).toBe(false);
  });

  test('count the tasks of a spec', () => {
    const uses = new SettledSpecs();
    for (let n = 0; n < 3; n++) uses.add(digestOf(1), 'one');
    uses.add(digestOf(2), 'other');
    expect([...uses.byTenant()]).toEqual([
      ['one', 3],
      ['other', 1],
    ]);
    expect([uses.tasks, uses.specs, uses.count(digestOf(1))]).toEqual([4, 2, 3]);
    expect([1, 2, 3].map(() => uses.remove(digestOf(1)))).toEqual([false, false, true]);
    expect(() => uses.remove(digestOf(1))).toThrow('was counted');
  });

  test('a key hash holds tenant and key apart and says the slot that routing gives', () => {
    expect(hashKey('a', 'bc')).not.toEqual(hashKey('ab', 'c'));
    const spec = { tenant: 'a', idempotencyKey: 'bc' };
    expect(hashKey('a', 'bc').slot).toBe(keySlot(spec));
  });
});

describe('the spec table', () => {
  test('shares traits and demands between equal specs', () => {
    const specs = new SpecTable();
    const one = specs.internTraits(aSpec({ name: 'one' }));
    const two = specs.internTraits(aSpec({ name: 'two' }));
    const other = specs.internTraits(aSpec({ attempts: 2 }));
    expect(two).toBe(one);
    expect(other).not.toBe(one);
    expect(other.demand).toBe(one.demand);
  });

  test('takes labels in any order for one demand, and never two lists of labels for one', () => {
    const demand = (require: [string, string][]): string => demandOf(aSpec({ require })).key;
    const [a, b]: [string, string][] = [
      ['a', '1'],
      ['b', '2'],
    ];
    expect(demand([a!, b!])).toBe(demand([b!, a!]));
    expect(demand([['ab', 'c']])).not.toBe(demand([['a', 'bc']]));
    expect(demand([['a', '1:b']])).not.toBe(
      demand([
        ['a', '1'],
        ['b', ''],
      ]),
    );
  });

  test('forgets idle specs beyond a bound, the oldest first, and never one in use', () => {
    const specs = new SpecTable();
    const { bytes } = specEntry(aSpec());
    for (let n = 0; n < 10_000; n++) {
      const traits = specs.internTraits(aSpec({ leaseMs: 5_000 + (n % 100) }));
      const spec = specs.add(digestOf(n), traits, { key: hashKey('t', `${n}`) }, bytes);
      specs.use(spec);
      specs.stored(spec, bytes);
      if (n >= 10) specs.release(spec);
    }
    expect(specs.size).toBeLessThanOrEqual(4_096 + 10);
    expect(specs.traitsCount).toBe(100);
    for (let n = 0; n < 10; n++) {
      const spec = specs.find(digestOf(n));
      expect(specs.key(spec)).toEqual(hashKey('t', `${n}`));
      expect(specs.traits(spec).leaseMs).toBe(5_000 + n);
    }
    expect(specs.find(digestOf(20))).toBe(-1);
    expect(specs.find(digestOf(9_999))).toBeGreaterThanOrEqual(0);
  });

  test('keeps an idle spec whose row is not stored, and one that is used again', () => {
    const specs = new SpecTable();
    const traits = specs.internTraits(aSpec());
    const unstored = specs.add(digestOf(0), traits, undefined, new Uint8Array(1));
    const busy = specs.add(digestOf(1), traits, undefined);
    for (const spec of [unstored, busy]) {
      specs.use(spec);
      specs.release(spec);
    }
    specs.use(busy);
    for (let n = 2; n < 9_000; n++) {
      const spec = specs.add(digestOf(n), traits, undefined);
      specs.use(spec);
      specs.release(spec);
    }
    expect(specs.find(digestOf(0))).toBe(unstored);
    expect(specs.find(digestOf(1))).toBe(busy);
    expect(specs.find(digestOf(2))).toBe(-1);
  });

  test('keeps a spec while one of its tasks is left', () => {
    const specs = new SpecTable();
    const traits = specs.internTraits(aSpec());
    const shared = specs.add(digestOf(0), traits, undefined);
    specs.use(shared);
    specs.use(shared);
    specs.release(shared);
    for (let n = 1; n < 9_000; n++) {
      const spec = specs.add(digestOf(n), traits, undefined);
      specs.use(spec);
      specs.release(spec);
    }
    expect(specs.find(digestOf(0))).toBe(shared);
    specs.release(shared);
    expect(() => specs.release(shared)).toThrow('released as often as it was used');
  });

  test('tells specs apart that differ in what the shard decides from', () => {
    const specs = new SpecTable();
    const request = { ...aSpec().request, iops: 1 };
    const unlike = [
      aSpec(),
      aSpec({ tenant: 'other' }),
      aSpec({ attempts: 2 }),
      aSpec({ leaseMs: 9_000 }),
      aSpec({ tier: 'premium' }),
      aSpec({ backoff: { initialMs: 1, maxMs: 0 } }),
      aSpec({ backoff: { initialMs: 0, maxMs: 1 } }),
      aSpec({ request }),
      aSpec({ require: [['gpu', 'yes']] }),
      aSpec({ require: [['gpu', 'no']] }),
      aSpec({ retryOn: ['75'] }),
      aSpec({ noRetryOn: ['75'] }),
      aSpec({ retryOn: ['75', 'oom'] }),
    ];
    const traits = unlike.map(spec => specs.internTraits(spec));
    expect(new Set(traits).size).toBe(unlike.length);
    for (const spec of [...unlike, ...unlike.toReversed()]) {
      expect(specs.internTraits(spec)).toBe(traits[unlike.indexOf(spec)]);
    }
  });

  test('gives the number of traits that are gone to others, and tells them apart', () => {
    const specs = new SpecTable();
    const ofLease = (leaseMs: number) => specs.internTraits(aSpec({ leaseMs }));
    const first = specs.add(digestOf(1), ofLease(5_001), undefined);
    const second = specs.add(digestOf(2), ofLease(5_002), undefined);
    specs.drop(first);
    const third = specs.add(digestOf(3), ofLease(5_003), undefined);
    expect([second, third].map(spec => specs.traits(spec).leaseMs)).toEqual([5_002, 5_003]);
    expect(specs.traitsCount).toBe(2);
    const expected = specs.expect(digestOf(4));
    expect(specs.isLearned(expected)).toBe(false);
    specs.learn(expected, aSpec({ leaseMs: 5_002 }));
    expect(specs.traits(expected)).toBe(specs.traits(second));
  });

  test('drops traits and demands that no spec has', () => {
    const specs = new SpecTable();
    const traits = specs.internTraits(aSpec());
    specs.dropUnusedTraits(traits);
    expect(specs.traitsCount).toBe(0);
    expect(specs.internTraits(aSpec()).demand).not.toBe(traits.demand);
  });
});
