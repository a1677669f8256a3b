/**
 * What every store has to do, whether it is LevelDB, memory or the simulator's disk: each clause of
 * `src/ports/store.ts`. A subject is one place that content survives in; `handle()` makes a new
 * handle on it, as a process that starts again would.
 */
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AssertionError } from '../../src/model/assert.ts';
import { LogOutline } from '../../src/model/log-outline.ts';
import type { Store, StoreImage, StoreMaker, StoreOp } from '../../src/ports/store.ts';
import { type Entry, entryBytes } from '../../src/raft/message.ts';

export interface StoreSubject {
  handle(): Store & StoreMaker;
  /** What a machine would find that lost its power now: what is durable, and nothing else. */
  afterPowerLoss(): Promise<StoreSubject>;
  dispose(): Promise<void>;
}

export const header = { clusterId: 'cluster', nodeId: 'node', storeId: 'store' };
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

const entry = (index: number, term: number, payload: Uint8Array | string = ''): Entry => ({
  term,
  index,
  type: 0,
  data: typeof payload === 'string' ? text(payload) : payload,
});

/** Entries `from..to` of one term; what they carry says who they are. */
export const run = (from: number, to: number, term: number, label = 'e'): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, position) =>
    entry(from + position, term, `${label}${from + position}/${term}`),
  );

/** What a store tells of a log when it is opened. */
export function outlineOf(log: readonly Pick<Entry, 'index' | 'term' | 'data'>[]): LogOutline {
  const outline = new LogOutline();
  for (const one of log) outline.add(one.index, one.term, entryBytes({ ...one, type: 0 }));
  return outline;
}

export const descriptor = (group: number, value = 'd'): StoreOp => ({
  kind: 'descriptor',
  group,
  value: text(value),
});
export const hard = (group: number, term: number, vote: number, commit: number): StoreOp => ({
  kind: 'hard',
  group,
  hard: { term, vote, commit },
});
export const append = (group: number, entries: readonly Entry[]): StoreOp => ({
  kind: 'entries',
  group,
  entries,
});
export const state = (
  group: number,
  rows: readonly (readonly [string | Uint8Array, string | Uint8Array | undefined])[],
  applied = 0,
  appliedTerm = 0,
): StoreOp => ({
  kind: 'state',
  group,
  applied,
  appliedTerm,
  rows: rows.map(([key, value]) => [
    typeof key === 'string' ? text(key) : key,
    typeof value === 'string' ? text(value) : value,
  ]),
});

export const write = (store: Store, ops: readonly StoreOp[]): Promise<void> =>
  new Promise(resolve => store.write(ops, resolve));

export const noFault = (error: Error): void => {
  throw error;
};

export const label = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

const everything = { from: bytes(), to: bytes(0xff, 0xff, 0xff), limit: 1_000_000 };

export const rowTexts = async (
  store: Store,
  group: number,
  range: { from: Uint8Array; to: Uint8Array; limit: number; reverse?: boolean } = everything,
): Promise<string[]> =>
  (await store.rows(group, range)).map(([key, value]) => `${label(key)}=${label(value)}`);

export const plain = (entries: readonly Entry[]): unknown[] =>
  entries.map(({ term, index, type, data }) => ({ term, index, type, data: [...data] }));

export function storeSuite(name: string, makeSubject: () => Promise<StoreSubject>): void {
  describe(`store on ${name}`, () => {
    let subject: StoreSubject;
    let open: Store[];

    beforeEach(async () => {
      subject = await makeSubject();
      open = [];
    });

    afterEach(async () => {
      for (const store of open) await store.close();
      await subject.dispose();
    });

    const start = async (): Promise<{ store: Store; image: StoreImage }> => {
      const store = subject.handle();
      const image = await store.open(noFault);
      open.push(store);
      return { store, image };
    };

    const fresh = async (): Promise<Store> => {
      await subject.handle().create(header);
      return (await start()).store;
    };

    const restart = async (store: Store): Promise<{ store: Store; image: StoreImage }> => {
      await store.close();
      open = open.filter(other => other !== store);
      return start();
    };

    const codeOf = async (attempt: Promise<unknown>): Promise<unknown> => {
      const error = await attempt.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return error instanceof Error && 'code' in error ? error.code : error;
    };

    describe('making and opening', () => {
      test('opening where no store was made says so', async () => {
        expect(await codeOf(subject.handle().open(noFault))).toBe('dataDirEmpty');
      });

      test('a store is made once', async () => {
        await subject.handle().create(header);
        expect(await codeOf(subject.handle().create(header))).toBe('dataDirTaken');
      });

      test('a store that is open cannot be opened or made a second time', async () => {
        const store = await fresh();
        expect(await codeOf(subject.handle().open(noFault))).toBe('dataDirInUse');
        expect(await codeOf(subject.handle().create(header))).toBe('dataDirTaken');
        await write(store, [descriptor(1)]);
      });

      test('a new store is empty and gives back its header', async () => {
        await subject.handle().create(header);
        const { image } = await start();
        expect(image).toEqual({
          header,
          bootCount: 1,
          groups: [],
          tombstones: new Map(),
          meta: new Map(),
        });
      });

      test('the boot count grows by one with every open', async () => {
        let store = await fresh();
        for (const expected of [2, 3, 4]) {
          const next = await restart(store);
          expect(next.image.bootCount).toBe(expected);
          store = next.store;
        }
      });
    });

    describe('writing', () => {
      test('done is called later, never inside write', async () => {
        const store = await fresh();
        let inside = true;
        await new Promise<void>(resolve => {
          store.write([descriptor(1)], () => {
            expect(inside).toBe(false);
            resolve();
          });
          inside = false;
        });
      });

      test('a second write before the first is done is refused as a bug', async () => {
        const store = await fresh();
        const first = write(store, [descriptor(1)]);
        expect(() => store.write([descriptor(2)], () => undefined)).toThrow(AssertionError);
        await first;
        await write(store, [descriptor(2)]);
      });

      test('the end of one write may issue the next', async () => {
        const store = await fresh();
        await new Promise<void>(resolve => {
          store.write([descriptor(1)], () => {
            store.write([state(1, [['a', '1']])], resolve);
          });
        });
        expect(label(store.row(1, text('a')))).toBe('1');
      });

      test('an empty batch is done too', async () => {
        const store = await fresh();
        await write(store, []);
        expect((await restart(store)).image.groups).toEqual([]);
      });

      test('buffers and lists may be used again once write has returned', async () => {
        const store = await fresh();
        const key = text('key');
        const value = text('value');
        const rows: [Uint8Array, Uint8Array][] = [[key, value]];
        const about = text('about');
        const finished = write(store, [
          { kind: 'descriptor', group: 1, value: about },
          { kind: 'state', group: 1, applied: 0, appliedTerm: 0, rows },
          { kind: 'meta', key: 'm', value: about },
        ]);
        key.fill(0);
        value.fill(0);
        about.fill(0);
        rows.length = 0;
        await finished;
        expect(label(store.row(1, text('key')))).toBe('value');
        const { image } = await restart(store);
        expect(label(image.groups[0]?.descriptor)).toBe('about');
        expect(label(image.meta.get('m'))).toBe('about');
      });

      test('a batch over several groups is there as a whole after a restart', async () => {
        const store = await fresh();
        await write(store, [
          descriptor(7, 'seven'),
          hard(7, 3, 2, 2),
          append(7, run(1, 3, 3)),
          state(7, [['a', '1']], 2, 3),
          descriptor(4, 'four'),
          hard(4, 1, 0, 0),
          { kind: 'meta', key: 'map', value: text('shards') },
        ]);
        const { image } = await restart(store);
        expect(image.groups).toEqual([
          {
            group: 4,
            descriptor: text('four'),
            hard: { term: 1, vote: 0, commit: 0 },
            firstIndex: 1,
            lastIndex: 0,
            truncatedTerm: 0,
            applied: 0,
            appliedTerm: 0,
            outline: outlineOf([]),
          },
          {
            group: 7,
            descriptor: text('seven'),
            hard: { term: 3, vote: 2, commit: 2 },
            firstIndex: 1,
            lastIndex: 3,
            truncatedTerm: 0,
            applied: 2,
            appliedTerm: 3,
            outline: outlineOf(run(1, 3, 3)),
          },
        ]);
        expect(image.groups[1]?.outline.size.bytes).toBe(outlineOf(run(1, 3, 3)).size.bytes);
        expect(label(image.meta.get('map'))).toBe('shards');
      });

      test('the last of several writes to one thing in one batch counts', async () => {
        const store = await fresh();
        await write(store, [
          descriptor(1, 'old'),
          descriptor(1, 'new'),
          hard(1, 1, 1, 0),
          hard(1, 2, 3, 0),
          state(1, [
            ['a', '1'],
            ['b', '1'],
            ['a', '2'],
            ['b', undefined],
          ]),
          { kind: 'meta', key: 'm', value: text('1') },
          { kind: 'meta', key: 'm', value: text('2') },
        ]);
        expect(await rowTexts(store, 1)).toEqual(['a=2']);
        const { image } = await restart(store);
        expect(label(image.groups[0]?.descriptor)).toBe('new');
        expect(image.groups[0]?.hard).toEqual({ term: 2, vote: 3, commit: 0 });
        expect(label(image.meta.get('m'))).toBe('2');
      });

      test('a new descriptor leaves the rest of its group as it is', async () => {
        const store = await fresh();
        await write(store, [
          descriptor(1, 'old'),
          hard(1, 1, 1, 1),
          append(1, run(1, 1, 1)),
          state(1, [['a', '1']], 1, 1),
        ]);
        await write(store, [descriptor(1, 'new')]);
        const { store: again, image } = await restart(store);
        expect(image.groups).toHaveLength(1);
        expect(image.groups[0]).toMatchObject({ descriptor: text('new'), lastIndex: 1 });
        expect(await rowTexts(again, 1)).toEqual(['a=1']);
      });

      test('a batch of thousands of small rows is there as soon as it is done', async () => {
        const store = await fresh();
        await write(store, [descriptor(1)]);
        const rows = Array.from({ length: 3000 }, (_, position) => {
          return [`k${String(position).padStart(4, '0')}`, `v${position}`] as const;
        });
        await write(store, [state(1, rows)]);
        expect(label(store.row(1, text('k2999')))).toBe('v2999');
        await write(store, [
          state(
            1,
            rows.slice(0, 2990).map(([key]) => [key, undefined]),
          ),
        ]);
        const expected = rows.slice(2990).map(([key, value]) => `${key}=${value}`);
        expect(await rowTexts(store, 1)).toEqual(expected);
        expect(await rowTexts((await restart(store)).store, 1)).toEqual(expected);
      });

      test('values of 512 KiB come back whole, rows and entries alike', async () => {
        const store = await fresh();
        const big = Uint8Array.from({ length: 512 * 1024 }, (_, position) => (position * 31) % 251);
        await write(store, [
          descriptor(1),
          hard(1, 1, 0, 0),
          append(
            1,
            [1, 2, 3, 4, 5].map(index => entry(index, 1, big)),
          ),
          state(1, [['big', big]]),
          { kind: 'meta', key: 'big', value: big },
        ]);
        const { store: again, image } = await restart(store);
        // Compared by Buffer: a matcher walks half a million numbers one by one.
        const same = (value: Uint8Array | undefined): boolean =>
          value !== undefined && Buffer.compare(value, big) === 0;
        expect(same(again.row(1, text('big')))).toBe(true);
        expect(same(image.meta.get('big'))).toBe(true);
        const found = again.entries(1, 1, 6, Number.MAX_SAFE_INTEGER);
        expect(found.map(({ index, data }) => [index, same(data)])).toEqual(
          [1, 2, 3, 4, 5].map(index => [index, true]),
        );
      });
    });

    describe('bugs of the caller', () => {
      const refused = (what: string, ...ops: StoreOp[]) =>
        test(`${what} is refused as a bug`, async () => {
          const store = await fresh();
          await write(store, [descriptor(1), hard(1, 5, 1, 2), append(1, run(1, 4, 3))]);
          await write(store, [state(1, [], 2, 3)]);
          expect(() => store.write(ops, () => undefined)).toThrow(AssertionError);
        });

      refused('an append that leaves a gap', append(1, run(6, 7, 3)));
      refused('an append with a hole inside', append(1, [entry(5, 3), entry(7, 3)]));
      refused('an append of falling terms', append(1, [entry(5, 4), entry(6, 3)]));
      refused('an append of a term below the log', append(1, run(5, 5, 2)));
      refused('an overwrite of committed entries', append(1, run(2, 2, 4)));
      refused('a term above the hard state', append(1, run(5, 5, 6)));
      refused('a commit index after the log', hard(1, 5, 1, 5));
      refused('a commit index that goes back', hard(1, 5, 1, 1));
      refused('an applied index after the commit index', state(1, [], 3, 3));
      refused('an applied index that goes back', state(1, [], 1, 3));
      refused('an operation on a group without descriptor', hard(2, 1, 1, 0));
      refused(
        'an operation on a removed group',
        { kind: 'remove', group: 1, tombstone: 9 },
        hard(1, 6, 1, 2),
      );
    });

    describe('the log', () => {
      const logged = async (...batches: readonly Entry[][]): Promise<Store> => {
        const store = await fresh();
        await write(store, [descriptor(1), hard(1, 100, 1, 0)]);
        for (const entries of batches) await write(store, [append(1, entries)]);
        return store;
      };
      const all = (store: Store, lo: number, hi: number): unknown[] =>
        plain(store.entries(1, lo, hi, Number.MAX_SAFE_INTEGER));

      test('entries come back with index, term, type and bytes', async () => {
        const written: Entry[] = [
          { term: 1, index: 1, type: 0, data: text('normal') },
          { term: 1, index: 2, type: 1, data: bytes(0, 255) },
          { term: 70_000, index: 3, type: 2, data: bytes() },
        ];
        const store = await fresh();
        await write(store, [descriptor(1), hard(1, 70_000, 1, 0), append(1, written)]);
        expect(all(store, 1, 4)).toEqual(plain(written));
        expect(all((await restart(store)).store, 1, 4)).toEqual(plain(written));
      });

      test('a range reads across batches and gives nothing beyond its end', async () => {
        const store = await logged(run(1, 3, 1), run(4, 4, 2), run(5, 9, 2));
        expect(all(store, 3, 7)).toEqual(plain([...run(3, 3, 1), ...run(4, 6, 2)]));
        expect(all(store, 9, 10)).toEqual(plain(run(9, 9, 2)));
        expect(all(store, 10, 10)).toEqual([]);
      });

      test('a range outside the log is refused as a bug', async () => {
        const store = await logged(run(1, 3, 1));
        expect(() => store.entries(1, 0, 2, 1)).toThrow(AssertionError);
        expect(() => store.entries(1, 3, 5, 1)).toThrow(AssertionError);
        expect(() => store.entries(2, 1, 2, 1)).toThrow(AssertionError);
      });

      test('a byte limit stops a read, but never before its first entry', async () => {
        const kilobyte = new Uint8Array(1000);
        const store = await logged([1, 2, 3, 4].map(index => entry(index, 1, kilobyte)));
        const count = (lo: number, maxBytes: number): number =>
          store.entries(1, lo, 5, maxBytes).length;
        expect(count(1, 0)).toBe(1);
        expect(count(3, 1)).toBe(1);
        expect(count(1, 2500)).toBe(2);
        expect(count(1, 3999)).toBe(3);
        expect(count(1, 1_000_000)).toBe(4);
      });

      test('an append over the tail drops what was there, longer tails too', async () => {
        const store = await logged(run(1, 4, 1), run(5, 9, 1), run(5, 6, 2));
        expect(all(store, 1, 7)).toEqual(plain([...run(1, 4, 1), ...run(5, 6, 2)]));
        expect(() => store.entries(1, 7, 8, 1)).toThrow(AssertionError);
        const { store: again, image } = await restart(store);
        expect(image.groups[0]?.lastIndex).toBe(6);
        expect(all(again, 1, 7)).toEqual(plain([...run(1, 4, 1), ...run(5, 6, 2)]));
      });

      test('a cut in the middle of a written run keeps its beginning', async () => {
        const store = await logged(run(1, 10, 1), run(4, 5, 2));
        const expected = plain([...run(1, 3, 1), ...run(4, 5, 2)]);
        expect(all(store, 1, 6)).toEqual(expected);
        expect(all(store, 2, 5)).toEqual(expected.slice(1, 4));
        const { store: again, image } = await restart(store);
        expect(image.groups[0]?.lastIndex).toBe(5);
        expect(all(again, 1, 6)).toEqual(expected);
        await write(again, [append(1, run(6, 12, 3))]);
        const later = plain([...run(1, 3, 1), ...run(4, 5, 2), ...run(6, 12, 3)]);
        expect(all(again, 1, 13)).toEqual(later);
        expect(all((await restart(again)).store, 1, 13)).toEqual(later);
      });

      test('two appends of one batch, the second over the first, leave the second', async () => {
        const store = await logged(run(1, 2, 1));
        await write(store, [append(1, run(3, 8, 1)), append(1, run(5, 6, 2))]);
        const expected = plain([...run(1, 4, 1), ...run(5, 6, 2)]);
        expect(all(store, 1, 7)).toEqual(expected);
        expect(all((await restart(store)).store, 1, 7)).toEqual(expected);
      });

      test('while a batch is in flight, what is done stays readable', async () => {
        const store = await logged(run(1, 5, 1));
        const finished = write(store, [append(1, run(4, 6, 2))]);
        expect(all(store, 1, 4)).toEqual(plain(run(1, 3, 1)));
        expect(() => store.entries(1, 1, 7, 1)).toThrow(AssertionError);
        await finished;
        expect(all(store, 1, 7)).toEqual(plain([...run(1, 3, 1), ...run(4, 6, 2)]));
      });

      test('any sequence of appends reads back like a plain list', async () => {
        const cuts = fc.array(
          fc.record({ back: fc.nat(6), length: fc.integer({ min: 1, max: 7 }) }),
          { minLength: 1, maxLength: 25 },
        );
        let group = 1;
        const store = await fresh();
        const expected = new Map<number, Entry[]>();
        await fc.assert(
          fc.asyncProperty(cuts, async steps => {
            const id = ++group;
            const model: Entry[] = [];
            await write(store, [descriptor(id), hard(id, 100, 0, 0)]);
            for (const [position, { back, length }] of steps.entries()) {
              const from = Math.max(1, model.length + 1 - back);
              const entries = run(from, from + length - 1, position + 1);
              model.length = from - 1;
              model.push(...entries);
              await write(store, [append(id, entries)]);
            }
            const found = store.entries(id, 1, model.length + 1, Number.MAX_SAFE_INTEGER);
            expect(plain(found)).toEqual(plain(model));
            expected.set(id, model);
          }),
          { numRuns: 15 },
        );
        const { store: again } = await restart(store);
        for (const [id, model] of expected) {
          const found = again.entries(id, 1, model.length + 1, Number.MAX_SAFE_INTEGER);
          expect(plain(found)).toEqual(plain(model));
        }
      });
    });

    describe('state rows', () => {
      const rowed = async (): Promise<Store> => {
        const store = await fresh();
        await write(store, [
          descriptor(1),
          state(1, [
            ['b', '2'],
            ['a', '1'],
            ['c', '3'],
            ['ab', '4'],
            ['d', ''],
          ]),
        ]);
        return store;
      };

      test('a row is read back at once and after a restart', async () => {
        const store = await rowed();
        expect(label(store.row(1, text('b')))).toBe('2');
        expect(store.row(1, text('x'))).toBeUndefined();
        expect(store.row(9, text('b'))).toBeUndefined();
        const { store: again } = await restart(store);
        expect(label(again.row(1, text('b')))).toBe('2');
      });

      test('an empty value is a row, a missing one deletes', async () => {
        const store = await rowed();
        expect(store.row(1, text('d'))).toEqual(bytes());
        await write(store, [
          state(1, [
            ['b', undefined],
            ['never', undefined],
          ]),
        ]);
        expect(store.row(1, text('b'))).toBeUndefined();
        const { store: again } = await restart(store);
        expect(await rowTexts(again, 1)).toEqual(['a=1', 'ab=4', 'c=3', 'd=']);
      });

      test('values come back as plain byte arrays', async () => {
        const store = await rowed();
        expect(store.row(1, text('b'))?.constructor).toBe(Uint8Array);
        for (const [key, value] of await store.rows(1, everything)) {
          expect([key.constructor, value.constructor]).toEqual([Uint8Array, Uint8Array]);
        }
      });

      test('a range has its beginning, not its end, in the order of the bytes', async () => {
        const store = await rowed();
        const range = { from: text('ab'), to: text('c'), limit: 10 };
        expect(await rowTexts(store, 1, range)).toEqual(['ab=4', 'b=2']);
        expect(await rowTexts(store, 1, { ...range, to: text('ab') })).toEqual([]);
        expect(await rowTexts(store, 1)).toEqual(['a=1', 'ab=4', 'b=2', 'c=3', 'd=']);
        expect(await rowTexts(store, 9)).toEqual([]);
      });

      test('a limit counts from the beginning, or from the end in reverse', async () => {
        const store = await rowed();
        const range = { from: text('a'), to: text('d') };
        expect(await rowTexts(store, 1, { ...range, limit: 2 })).toEqual(['a=1', 'ab=4']);
        expect(await rowTexts(store, 1, { ...range, limit: 2, reverse: true })).toEqual([
          'c=3',
          'b=2',
        ]);
        expect(await rowTexts(store, 1, { ...range, limit: 0 })).toEqual([]);
      });

      test('rows of groups never mix, whatever their numbers and keys', async () => {
        const store = await fresh();
        const groups = [0, 1, 2, 255, 256, 257, 65_536, 0x01000000, 0xffffffff];
        const keys = [bytes(), bytes(0), bytes(0, 0), bytes(1), bytes(0xff), bytes(0xff, 0xff)];
        for (const group of groups) {
          await write(store, [
            descriptor(group),
            hard(group, 1, 0, 0),
            append(group, run(1, 2, 1, `g${group}-`)),
            state(
              group,
              keys.map(key => [key, `${group}:${key}`] as const),
            ),
          ]);
        }
        const check = async (at: Store): Promise<void> => {
          for (const group of groups) {
            const rows = await at.rows(group, { ...everything, to: bytes(0xff, 0xff, 0xff) });
            expect(rows.map(([key]) => [...key])).toEqual(keys.map(key => [...key]));
            expect(rows.map(([, value]) => label(value))).toEqual(
              keys.map(key => `${group}:${key}`),
            );
            expect(plain(at.entries(group, 1, 3, 1_000))).toEqual(
              plain(run(1, 2, 1, `g${group}-`)),
            );
          }
        };
        await check(store);
        const { store: again, image } = await restart(store);
        expect(image.groups.map(({ group }) => group)).toEqual(groups);
        await check(again);
      });

      test('any sequence of row writes reads back like a sorted map', async () => {
        const key = fc.uint8Array({ maxLength: 3 });
        const step = fc.array(fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 4 }))), {
          maxLength: 8,
        });
        const store = await fresh();
        let group = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(step, { maxLength: 8 }),
            fc.record({ from: key, to: key, limit: fc.nat(6), reverse: fc.boolean() }),
            async (steps, range) => {
              const id = ++group;
              const model = new Map<string, Uint8Array>();
              await write(store, [descriptor(id)]);
              for (const rows of steps) {
                await write(store, [
                  state(
                    id,
                    rows.map(([at, value]) => [at, value ?? undefined] as const),
                  ),
                ]);
                for (const [at, value] of rows) {
                  const name = Buffer.from(at).toString('hex');
                  if (value === null) model.delete(name);
                  else model.set(name, value);
                }
              }
              const [from, to] = [range.from, range.to].map(at => Buffer.from(at).toString('hex'));
              const expected = [...model]
                .filter(([name]) => name >= (from ?? '') && name < (to ?? ''))
                .sort(([left], [right]) => (left < right ? -1 : 1));
              if (range.reverse) expected.reverse();
              const found = await store.rows(id, range);
              expect(
                found.map(([at, value]) => [Buffer.from(at).toString('hex'), [...value]]),
              ).toEqual(expected.slice(0, range.limit).map(([name, value]) => [name, [...value]]));
            },
          ),
          { numRuns: 40 },
        );
      });
    });

    describe('removal', () => {
      const full = (group: number): StoreOp[] => [
        descriptor(group),
        hard(group, 2, 1, 2),
        append(group, run(1, 3, 2)),
        state(group, [['old', 'row']], 2, 2),
      ];

      test('a removed group is gone and leaves its tombstone', async () => {
        const store = await fresh();
        await write(store, [...full(1), ...full(2)]);
        await write(store, [{ kind: 'remove', group: 1, tombstone: 17 }]);
        expect(store.row(1, text('old'))).toBeUndefined();
        expect(await rowTexts(store, 1)).toEqual([]);
        expect(await rowTexts(store, 2)).toEqual(['old=row']);
        const { store: again, image } = await restart(store);
        expect(image.groups.map(({ group }) => group)).toEqual([2]);
        expect(image.tombstones).toEqual(new Map([[1, 17]]));
        expect(await rowTexts(again, 2)).toEqual(['old=row']);
      });

      test('a new life of a group sees nothing of the old one', async () => {
        const store = await fresh();
        await write(store, full(1));
        await write(store, [{ kind: 'remove', group: 1, tombstone: 5 }, descriptor(1, 'new')]);
        expect(await rowTexts(store, 1)).toEqual([]);
        await write(store, [hard(1, 1, 0, 0), append(1, run(1, 1, 1)), state(1, [['new', 'row']])]);
        const { store: again, image } = await restart(store);
        expect(image.groups).toHaveLength(1);
        expect(image.groups[0]).toMatchObject({ lastIndex: 1, applied: 0 });
        expect(image.tombstones).toEqual(new Map([[1, 5]]));
        expect(await rowTexts(again, 1)).toEqual(['new=row']);
        expect(plain(again.entries(1, 1, 2, 1_000))).toEqual(plain(run(1, 1, 1)));
      });

      test('a tombstone never sinks, and one can be left without a group', async () => {
        const store = await fresh();
        await write(store, [{ kind: 'remove', group: 1, tombstone: 9 }]);
        await write(store, [{ kind: 'remove', group: 1, tombstone: 4 }]);
        const { image } = await restart(store);
        expect(image.tombstones).toEqual(new Map([[1, 9]]));
        expect(image.groups).toEqual([]);
      });
    });
  });
}
