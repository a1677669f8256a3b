/** The stored log as the core reads it, against a plain array. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogOutline } from '../../../src/model/log-outline.ts';
import { noConf } from '../../../src/node/descriptor.ts';
import { LogCache } from '../../../src/node/log-cache.ts';
import type { Store } from '../../../src/ports/store.ts';
import { countWithin, type Entry, entryBytes } from '../../../src/raft/message.ts';

const entryOf = (index: number, term: number, bytes = 1): Entry => ({
  index,
  term,
  type: 0,
  data: new Uint8Array(bytes).fill(index),
});

/** A store of one group that holds `log` and counts what is read of it. */
function storeOf(log: Entry[]): { readonly store: Store; reads: number } {
  const counted = {
    reads: 0,
    store: {
      entries: (_group: number, lo: number, hi: number, maxBytes: number) => {
        counted.reads++;
        const slice = log.slice(lo - 1, hi - 1);
        return slice.slice(0, countWithin(slice, maxBytes));
      },
    } as unknown as Store,
  };
  return counted;
}

/** As a store gives it that has read the log. */
function outlineOf(log: readonly Entry[]): LogOutline {
  const outline = new LogOutline();
  for (const entry of log) outline.add(entry.index, entry.term, entryBytes(entry));
  return outline;
}

function open(log: Entry[]): { readonly cache: LogCache; readonly counted: { reads: number } } {
  const counted = storeOf(log);
  const { store } = counted;
  const bounds = { firstIndex: 1, lastIndex: log.length, truncatedTerm: 0 };
  const hard = { term: 1, vote: 0, commit: 0 };
  const stored = { ...bounds, outline: outlineOf(log) };
  const cache = new LogCache({ group: 1, store, hard, conf: noConf, stored });
  return { cache, counted };
}

/** Goes on where the log was truncated to `index`: as a restart does. */
function reopen(log: Entry[], index: number): LogCache {
  const { store } = storeOf(log);
  const truncatedTerm = log[index - 1]?.term ?? 0;
  const bounds = { firstIndex: index + 1, lastIndex: log.length, truncatedTerm };
  const hard = { term: 1, vote: 0, commit: 0 };
  const stored = { ...bounds, outline: outlineOf(log.slice(index)) };
  return new LogCache({ group: 1, store, hard, conf: noConf, stored });
}

/** What the store does with an append. */
function put(log: Entry[], entries: readonly Entry[]): void {
  log.length = entries[0]!.index - 1;
  log.push(...entries);
}

/** The cache shows `log` behind `truncated`. */
function expectSame(cache: LogCache, log: readonly Entry[], truncated = 0): void {
  expect([cache.firstIndex(), cache.lastIndex()]).toEqual([truncated + 1, log.length]);
  expect(cache.term(truncated)).toBe(log[truncated - 1]?.term ?? 0);
  expect(cache.term(log.length + 1)).toBe('unavailable');
  for (const { index, term } of log) {
    expect(cache.term(index)).toBe(index < truncated ? 'compacted' : term);
  }
}

describe('the log of a group', () => {
  test('reads like a plain array through appends, overwrites, trims and truncations', () => {
    const append = fc.record({
      /** How far it reaches back, a share of the log. */
      back: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      sizes: fc.array(fc.oneof(fc.constant(10), fc.constant(60_000)), {
        minLength: 1,
        maxLength: 8,
      }),
      newTerm: fc.boolean(),
      /** How far the log is truncated afterwards, a share of what it holds. */
      truncate: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
    });
    const read = fc.tuple(fc.nat(60), fc.nat(12), fc.constantFrom(1, 200, 100_000, 1e9));
    fc.assert(
      fc.property(
        fc.nat(6),
        fc.array(append, { maxLength: 12 }),
        fc.array(read, { maxLength: 6 }),
        (before, appends, reads) => {
          const log: Entry[] = [];
          for (let index = 1; index <= before; index++) log.push(entryOf(index, 1));
          const { cache } = open(log);
          let term = 1;
          let truncated = 0;
          for (const { back, sizes, newTerm, truncate } of appends) {
            if (newTerm || back > 0) term++;
            const first = log.length + 1 - Math.floor(back * (log.length - truncated));
            const entries = sizes.map((bytes, place) => entryOf(first + place, term, bytes));
            put(log, entries);
            cache.append(entries);
            const count = Math.floor(truncate * (log.length - truncated));
            if (count > 0) {
              truncated += count;
              const { term: last } = log[truncated - 1]!;
              expect(cache.truncate(truncated)).toEqual({ index: truncated, term: last });
            }
            expectSame(cache, log, truncated);
            expect(cache.entries(truncated, log.length + 1, 1)).toBe('compacted');
            if (truncated === log.length) continue;
            for (const [from, count, maxBytes] of reads) {
              const lo = truncated + 1 + (from % (log.length - truncated));
              const hi = Math.min(log.length + 1, lo + 1 + count);
              const slice = log.slice(lo - 1, hi - 1);
              expect(cache.entries(lo, hi, maxBytes)).toEqual(
                slice.slice(0, countWithin(slice, maxBytes)),
              );
            }
          }
          expectSame(reopen(log, truncated), log, truncated);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('gives new entries from memory, and old ones from the store', () => {
    const log: Entry[] = [];
    const { cache, counted } = open(log);
    for (let index = 1; index <= 100; index++) {
      const entries = [entryOf(index, 1, 10_000)];
      put(log, entries);
      cache.append(entries);
    }
    expect(cache.entries(95, 101, 1e9)).toHaveLength(6);
    expect(counted.reads).toBe(0);
    expect(cache.entries(1, 3, 1e9)).toHaveLength(2);
    expect(counted.reads).toBe(1);
  });

  test('begins anew behind a snapshot', () => {
    const log = [entryOf(1, 1), entryOf(2, 1), entryOf(3, 2)];
    const { cache } = open(log);
    cache.restart(50, 4);
    expect([cache.firstIndex(), cache.lastIndex()]).toEqual([51, 50]);
    expect([cache.term(49), cache.term(50), cache.term(51)]).toEqual([
      'compacted',
      4,
      'unavailable',
    ]);
    cache.append([entryOf(51, 4), entryOf(52, 5)]);
    expect(cache.entries(51, 53, 1e9)).toEqual([entryOf(51, 4), entryOf(52, 5)]);
    expect(cache.term(52)).toBe(5);
    expect(cache.size.bytes).toBe(2 * (1 + 16));
  });

  test('offers no snapshot before it is told which', () => {
    const { cache } = open([]);
    expect(cache.snapshotMeta(2)).toBe('unavailable');
  });

  test('gives one entry at least, however large it is', () => {
    const log = [entryOf(1, 1, 5_000), entryOf(2, 1)];
    expect(open(log).cache.entries(1, 3, 1)).toHaveLength(1);
  });
});
