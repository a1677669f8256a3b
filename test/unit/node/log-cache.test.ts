/** The stored log as the core reads it, against a plain array. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noConf } from '../../../src/node/descriptor.ts';
import { LogCache, readTermRuns } from '../../../src/node/log-cache.ts';
import type { Store } from '../../../src/ports/store.ts';
import { countWithin, type Entry } from '../../../src/raft/message.ts';

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

function open(log: Entry[]): { readonly cache: LogCache; readonly counted: { reads: number } } {
  const counted = storeOf(log);
  const { store } = counted;
  const runs = readTermRuns(store, 1, log.length);
  const hard = { term: 1, vote: 0, commit: 0 };
  const cache = new LogCache({ group: 1, store, hard, conf: noConf, lastIndex: log.length, runs });
  counted.reads = 0;
  return { cache, counted };
}

/** What the store does with an append. */
function put(log: Entry[], entries: readonly Entry[]): void {
  log.length = entries[0]!.index - 1;
  log.push(...entries);
}

function expectSame(cache: LogCache, log: readonly Entry[]): void {
  expect(cache.lastIndex()).toBe(log.length);
  expect(cache.term(0)).toBe(0);
  expect(cache.term(log.length + 1)).toBe('unavailable');
  for (const entry of log) expect(cache.term(entry.index)).toBe(entry.term);
}

describe('the log of a group', () => {
  test('reads like a plain array through appends, overwrites and trims', () => {
    const append = fc.record({
      /** How far it reaches back, a share of the log. */
      back: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      sizes: fc.array(fc.oneof(fc.constant(10), fc.constant(60_000)), {
        minLength: 1,
        maxLength: 8,
      }),
      newTerm: fc.boolean(),
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
          for (const { back, sizes, newTerm } of appends) {
            if (newTerm || back > 0) term++;
            const first = log.length + 1 - Math.floor(back * log.length);
            const entries = sizes.map((bytes, place) => entryOf(first + place, term, bytes));
            put(log, entries);
            cache.append(entries);
            expectSame(cache, log);
            for (const [from, count, maxBytes] of reads) {
              const lo = 1 + (from % log.length);
              const hi = Math.min(log.length + 1, lo + 1 + count);
              const slice = log.slice(lo - 1, hi - 1);
              expect(cache.entries(lo, hi, maxBytes)).toEqual(
                slice.slice(0, countWithin(slice, maxBytes)),
              );
            }
          }
          expectSame(open(log).cache, log);
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

  test('gives one entry at least, however large it is', () => {
    const log = [entryOf(1, 1, 5_000), entryOf(2, 1)];
    expect(open(log).cache.entries(1, 3, 1)).toHaveLength(1);
  });
});
