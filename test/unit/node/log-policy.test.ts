/** How far a log is truncated, and how its size is known. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogSize } from '../../../src/model/log-size.ts';
import {
  isLong,
  type LogLimits,
  type LogPeer,
  standardLog,
  truncationPoint,
} from '../../../src/node/log-policy.ts';

const max: LogLimits = { entriesKept: 20, entriesSpare: 100, bytesSpare: 2_000, bytesMax: 8_000 };

/** A log of entries of equal size. */
const picture = (log: {
  first?: number;
  last: number;
  applied?: number;
  peers?: readonly LogPeer[];
  each?: number;
}) => {
  const { first = 1, last, applied = last, peers = [], each = 1 } = log;
  const bytes = (last - first + 1) * each;
  return {
    first,
    last,
    applied,
    peers,
    bytes,
    bytesThrough: (index: number) => Math.max(0, index - first + 1) * each,
    leaving: (left: number) => Math.max(first - 1, last - Math.floor(left / each)),
  };
};

const peer = (match: number, active = true, snapshot = 0): LogPeer => ({ match, active, snapshot });

describe('truncation of a log', () => {
  test('waits until there is enough to drop, and leaves the trailing entries', () => {
    expect(truncationPoint(picture({ last: 120 }), max)).toBeUndefined();
    expect(truncationPoint(picture({ last: 121 }), max)).toBe(101);
    expect(truncationPoint(picture({ first: 50, last: 169 }), max)).toBeUndefined();
    expect(truncationPoint(picture({ first: 50, last: 170 }), max)).toBe(150);
  });

  test('comes sooner where the entries are large', () => {
    expect(truncationPoint(picture({ last: 60, each: 50 }), max)).toBeUndefined();
    expect(truncationPoint(picture({ last: 61, each: 50 }), max)).toBe(41);
  });

  test('never reaches what is not applied on the disk', () => {
    expect(truncationPoint(picture({ last: 500, applied: 150 }), max)).toBe(150);
    expect(truncationPoint(picture({ last: 500, applied: 90 }), max)).toBeUndefined();
    expect(truncationPoint(picture({ last: 500, applied: 30, each: 100 }), max)).toBe(30);
    expect(truncationPoint(picture({ last: 500, applied: 0, each: 100 }), max)).toBeUndefined();
  });

  test('keeps what a live follower lacks, and nothing for a dead one', () => {
    const peers = [peer(400), peer(130)];
    expect(truncationPoint(picture({ last: 500, peers }), max)).toBe(130);
    const dead = [peer(400), peer(130, false)];
    expect(truncationPoint(picture({ last: 500, peers: dead }), max)).toBe(400);
  });

  test('keeps what follows a snapshot under way, however quiet its receiver is', () => {
    const peers = [peer(490), peer(0, false, 200)];
    expect(truncationPoint(picture({ last: 500, peers }), max)).toBe(200);
    expect(truncationPoint(picture({ last: 500, peers, each: 100 }), max)).toBe(200);
  });

  test('leaves a live laggard to a snapshot once the log is far too long', () => {
    const peers = [peer(490), peer(10)];
    expect(truncationPoint(picture({ last: 500, peers, each: 16 }), max)).toBeUndefined();
    expect(truncationPoint(picture({ last: 501, peers, each: 16 }), max)).toBe(251);
    // Also the trailing entries go, where they are that large.
    expect(truncationPoint(picture({ last: 12, each: 1_000 }), max)).toBe(8);
  });

  test('is the safest of all limits, whatever the log looks like', () => {
    const anyPeer = fc.record({
      match: fc.nat(600),
      active: fc.boolean(),
      snapshot: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 600 })),
    });
    fc.assert(
      fc.property(
        fc.record({
          first: fc.integer({ min: 1, max: 200 }),
          length: fc.integer({ min: 0, max: 600 }),
          behind: fc.nat(600),
          peers: fc.array(anyPeer, { maxLength: 4 }),
          each: fc.integer({ min: 1, max: 200 }),
        }),
        ({ first, length, behind, peers, each }) => {
          const last = first - 1 + length;
          const applied = Math.max(first - 1, last - behind);
          const log = picture({ first, last, applied, peers, each });
          const point = truncationPoint(log, max);
          if (point === undefined) return;
          expect(isLong(log, max)).toBe(true);
          expect(point).toBeGreaterThanOrEqual(first);
          expect(point).toBeLessThanOrEqual(applied);
          for (const { snapshot } of peers) {
            if (snapshot > 0) expect(point).toBeLessThanOrEqual(snapshot);
          }
          if (log.bytes > max.bytesMax) return;
          expect(point).toBeLessThanOrEqual(last - max.entriesKept);
          for (const { match, active, snapshot } of peers) {
            if (active && snapshot === 0) expect(point).toBeLessThanOrEqual(match);
          }
        },
      ),
    );
  });

  test('by the usual limits keeps 2,000 entries of 12,000', () => {
    expect(truncationPoint(picture({ last: 12_000 }), standardLog)).toBeUndefined();
    expect(truncationPoint(picture({ last: 12_001 }), standardLog)).toBe(10_001);
  });
});

describe('the size of a log', () => {
  test('is exact as a whole and close at any index, through appends, cuts and truncations', () => {
    const step = fc.oneof(
      fc.record({ add: fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 200 }) }),
      fc.record({ cut: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const size = new LogSize();
        let first = 1;
        let model: number[] = [];
        const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0);
        /** What one step may be off by, at each end of the log. */
        const slack = 2 * (64 * 1_024 + 3_000);
        for (const one of steps) {
          if ('add' in one) {
            for (const bytes of one.add) {
              size.add(first + model.length, bytes);
              model.push(bytes);
            }
          } else if ('cut' in one) {
            const index = first + Math.floor(one.cut * model.length);
            size.cutFrom(index);
            model = model.slice(0, index - first);
          } else {
            const count = Math.floor(one.drop * model.length);
            size.dropThrough(first + count - 1);
            model = model.slice(count);
            first += count;
          }
          expect(Math.abs(size.bytes - sum(model))).toBeLessThanOrEqual(slack);
          if (model.length === 0) expect(size.bytes).toBe(0);
          const middle = first + (model.length >> 1);
          const through = sum(model.slice(0, middle - first + 1));
          expect(Math.abs(size.through(middle) - through)).toBeLessThanOrEqual(slack);
          const point = size.leaving(10_000);
          expect(sum(model.slice(Math.max(0, point - first + 1)))).toBeLessThanOrEqual(
            10_000 + slack,
          );
        }
      }),
    );
  });

  test('counts every byte that was added', () => {
    const size = new LogSize();
    for (let index = 1; index <= 1_000; index++) size.add(index, index);
    expect(size.bytes).toBe(500_500);
    expect(size.through(1_000)).toBe(500_500);
    expect(size.through(64)).toBe(2_080);
    expect(size.leaving(500_500)).toBe(0);
    expect(size.leaving(0)).toBe(1_000);
  });
});
