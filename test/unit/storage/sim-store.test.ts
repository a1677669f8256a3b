import { describe, expect, test } from 'vitest';
import type { StoreOp } from '../../../src/ports/store.ts';
import { createSimStore, type SimStore, type SimStoreFaults } from '../../simulation/sim-store.ts';

/** Virtual time with one queue, and a small generator. */
function world(seed: number, faults: SimStoreFaults = {}) {
  let state = seed >>> 0;
  const random = {
    uint32: () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0),
  };
  let nowMs = 0;
  const queue: { at: number; fire: () => void }[] = [];
  const scheduler = {
    after: (delayMs: number, fire: () => void) => void queue.push({ at: nowMs + delayMs, fire }),
  };
  const step = (): boolean => {
    queue.sort((left, right) => left.at - right.at);
    const next = queue.shift();
    if (next === undefined) return false;
    nowMs = next.at;
    next.fire();
    return true;
  };
  const store = createSimStore({ scheduler, random, faults });
  store.createNow({ clusterId: 'c', nodeId: 'n', storeId: 's' });
  return { store, step, now: () => nowMs, random };
}

const unexpected = (error: Error): never => {
  throw error;
};

const put = (count: number): StoreOp[] => [
  { kind: 'descriptor', group: 1, value: Uint8Array.of(1) },
  {
    kind: 'state',
    group: 1,
    applied: 0,
    appliedTerm: 0,
    rows: [[Uint8Array.of(count), Uint8Array.of(count)]],
  },
];

const rowsOf = (store: SimStore): number[] =>
  store
    .rowsNow(1, { from: Uint8Array.of(), to: Uint8Array.of(255), limit: 1000 })
    .map(([, value]) => value[0] ?? -1);

/** Writes one after another, crashes after some events, and tells what happened. */
function runOnce(seed: number): { story: string; acknowledged: number; found: number } {
  const { store, step, now } = world(seed, { slowPerMillion: 100_000 });
  store.openNow(unexpected);
  const story: string[] = [];
  let acknowledged = 0;
  const next = (): void => {
    store.write(put(acknowledged + 1), () => {
      acknowledged++;
      story.push(`${acknowledged}@${now()}`);
      next();
    });
  };
  next();
  for (let event = 0; event < 5 + (seed % 7); event++) step();
  store.crash();
  while (step()) story.push('late');
  const again = store.reopen();
  const image = again.openNow(unexpected);
  const found = rowsOf(again);
  expect(found).toEqual(found.map((_, position) => position + 1));
  story.push(`found ${found.length}, boot ${image.bootCount}`);
  return { story: story.join(' '), acknowledged, found: found.length };
}

describe('simulated disk', () => {
  test('the same seed tells the same story, another seed another', () => {
    expect(runOnce(42)).toEqual(runOnce(42));
    const stories = new Set(Array.from({ length: 20 }, (_, seed) => runOnce(seed).story));
    expect(stories.size).toBeGreaterThan(10);
  });

  test('a crash keeps what was done and all or nothing of what was in flight', () => {
    const extra = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const { acknowledged, found } = runOnce(seed);
      extra.add(found - acknowledged);
    }
    expect([...extra].sort()).toEqual([0, 1]);
  });

  test('no callback comes after a crash', () => {
    const { store, step } = world(1);
    store.openNow(unexpected);
    let called = 0;
    store.write(put(1), () => called++);
    store.crash();
    while (step());
    expect(called).toBe(0);
  });

  test('delays stay within their bounds, slow ones too', () => {
    const delays = (faults: SimStoreFaults): number[] => {
      const { store, step, now } = world(3, faults);
      store.openNow(unexpected);
      return Array.from({ length: 300 }, (_, position) => {
        const before = now();
        store.write(put(position % 200), () => undefined);
        step();
        return now() - before;
      });
    };
    const usual = delays({ writeMsMin: 2, writeMsMax: 9 });
    expect([Math.min(...usual), Math.max(...usual)]).toEqual([2, 9]);
    const slow = delays({ slowPerMillion: 50_000 });
    expect(Math.max(...slow)).toBeGreaterThan(100);
    expect(Math.max(...slow)).toBeLessThanOrEqual(500);
    expect(slow.filter(delay => delay > 4).length).toBeLessThan(60);
  });

  test('a failing write reports one fault and ends the handle', () => {
    const { store, step } = world(5, { failPerMillion: 1_000_000 });
    const faults: Error[] = [];
    store.openNow(error => void faults.push(error));
    let done = false;
    store.write(put(1), () => (done = true));
    while (step());
    store.write(put(2), () => (done = true));
    while (step());
    expect(faults.map(error => 'code' in error && error.code)).toEqual(['storageFault']);
    expect(done).toBe(false);
    expect(() => store.row(1, Uint8Array.of(1))).toThrow('simulated disk failed');
  });
});
