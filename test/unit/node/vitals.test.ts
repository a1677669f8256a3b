/** When a node is too slow to lead, and when no longer. */
import { describe, expect, test } from 'vitest';
import {
  describeSlowness,
  restMs,
  slowMs,
  stuckMs,
  Vitals,
  wellMs,
} from '../../../src/node/vitals.ts';

const tickMs = 200;

class Bench {
  readonly vitals = new Vitals();
  nowMs = 0;

  /** Ticks and writes for so long, each write taking `batchMs`, each tick `lagMs` late. */
  run(forMs: number, batchMs: number, lagMs = 0): boolean {
    const endMs = this.nowMs + forMs;
    while (this.nowMs < endMs) {
      this.vitals.batchBegan(this.nowMs);
      this.nowMs += batchMs;
      this.vitals.batchEnded(this.nowMs);
      const dueMs = this.nowMs + tickMs;
      this.nowMs = dueMs + lagMs;
      this.vitals.ticked(dueMs, this.nowMs);
      this.vitals.check(this.nowMs);
    }
    return this.vitals.slow;
  }
}

describe('a disk', () => {
  test('that is slow for a while makes its node slow, and a word says why', () => {
    const bench = new Bench();
    expect(bench.run(60_000, 40)).toBe(false);
    expect(bench.run(10_000, slowMs + 100)).toBe(true);
    const report = bench.vitals.report(bench.nowMs);
    expect(report).toMatchObject({ slow: true, batchMaxMs: slowMs + 100, lagMs: 0 });
    expect(describeSlowness(report)).toMatch(/^a write to its disk takes 5\d\d ms$/);
  });

  test('that stalls once, however long, makes nobody slow once it goes on', () => {
    const bench = new Bench();
    bench.run(10_000, 5);
    bench.vitals.batchBegan(bench.nowMs);
    bench.nowMs += 30_000;
    bench.vitals.batchEnded(bench.nowMs);
    expect(bench.vitals.check(bench.nowMs)).toBe(false);
    expect(bench.vitals.report(bench.nowMs).batchMaxMs).toBe(30_000);
  });

  test('whose write does not end is slow before it ends', () => {
    const { vitals } = new Bench();
    vitals.batchBegan(0);
    expect(vitals.check(stuckMs - 1)).toBe(false);
    expect(vitals.check(stuckMs)).toBe(true);
    expect(vitals.report(stuckMs).batchMaxMs).toBe(stuckMs);
  });

  test('is well again only after it was well for a time', () => {
    const bench = new Bench();
    bench.run(20_000, 900);
    expect(bench.run(restMs - tickMs, 5)).toBe(true);
    // A relapse begins the time anew, one that is not slow by itself too.
    bench.run(4_000, wellMs + 100);
    expect(bench.run(restMs - tickMs, 5)).toBe(true);
    expect(bench.run(restMs, 5)).toBe(false);
  });
});

test('a loop that comes late makes its node slow, one stall does not', () => {
  const bench = new Bench();
  bench.vitals.ticked(0, 60_000);
  bench.nowMs = 60_000;
  expect(bench.vitals.check(bench.nowMs)).toBe(false);
  bench.run(10_000, 1, 0);
  expect(bench.run(20_000, 1, 800)).toBe(true);
  expect(describeSlowness(bench.vitals.report(bench.nowMs))).toMatch(
    /^its loop comes \d+ ms late$/,
  );
});

test('maxima are forgotten after a while', () => {
  const bench = new Bench();
  bench.run(1_000, 400);
  bench.run(20_000, 3);
  expect(bench.vitals.report(bench.nowMs).batchMaxMs).toBe(400);
  bench.run(61_000, 3);
  expect(bench.vitals.report(bench.nowMs).batchMaxMs).toBe(3);
});

test('only a slow node probes its disk, and not at every tick', () => {
  const bench = new Bench();
  bench.run(5_000, 5);
  expect(bench.vitals.probeDue(bench.nowMs)).toBe(false);
  bench.run(20_000, 900);
  expect(bench.vitals.probeDue(bench.nowMs)).toBe(true);
  expect(bench.vitals.probeDue(bench.nowMs + tickMs)).toBe(false);
  expect(bench.vitals.probeDue(bench.nowMs + 1_000)).toBe(true);
});
