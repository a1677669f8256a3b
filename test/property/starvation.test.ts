/** Nobody starves: the large behind the small, the small behind the large, the few or the many. */
import { describe, expect, test } from 'vitest';
import { WaitingWorld } from './waiting-world.ts';

/** Steps until the job has started, `each` before every step; milliseconds that it waited. */
function delayOf(
  world: WaitingWorld,
  job: number,
  options: { readonly each: () => void; readonly limitMs: number },
): number {
  const sinceMs = world.nowMs;
  while (!world.startedMs.has(job) && world.nowMs - sinceMs < options.limitMs) {
    options.each();
    world.step();
  }
  return (world.startedMs.get(job) ?? Number.POSITIVE_INFINITY) - sinceMs;
}

/** Keeps more small tasks waiting than there is room for. */
function smallOnes(world: WaitingWorld, capMs?: number): () => void {
  let next = 0;
  return () => {
    while (world.waiting() < 12) {
      world.submit({ cpu: 1, durationMs: 700 + ((next++ * 311) % 1_900), capMs });
    }
  };
}

describe('a task that needs a whole node', () => {
  test.each([1, 3])('starts among small ones that always fit, led by %i nodes', leaders => {
    const world = new WaitingWorld({ nodes: [4, 4, 4], leaders });
    const each = smallOnes(world);
    for (let n = 0; n < 50; n++) {
      each();
      world.step();
    }
    const large = world.submit({ cpu: 4, durationMs: 1_000 });
    // Five seconds until room is kept for it, and as long as the longest small one runs.
    expect(delayOf(world, large, { each, limitMs: 60_000 })).toBeLessThan(9_000);
  });

  test('starts at once when it is urgent: room is kept for it from the beginning', () => {
    const world = new WaitingWorld({ nodes: [4, 4, 4], leaders: 3 });
    const each = smallOnes(world);
    for (let n = 0; n < 50; n++) {
      each();
      world.step();
    }
    const large = world.submit({ cpu: 4, durationMs: 1_000, toleranceMs: 30_000 });
    expect(delayOf(world, large, { each, limitMs: 60_000 })).toBeLessThan(4_000);
  });

  test('leaves what is beside it, and what ends in time, to small ones', () => {
    const world = new WaitingWorld({ nodes: [4] });
    world.submit({ cpu: 3, durationMs: 20_000, capMs: 20_000 });
    world.step();
    const large = world.submit({ cpu: 4, durationMs: 1_000, toleranceMs: 30_000 });
    world.step();
    const short = world.submit({ cpu: 1, durationMs: 3_000, capMs: 5_000 });
    const long = world.submit({ cpu: 1, durationMs: 30_000, capMs: 40_000 });
    const uncapped = world.submit({ cpu: 1, durationMs: 1_000 });
    while (world.nowMs < 40_000) world.step();
    const at = (job: number): number => world.startedMs.get(job)!;
    expect(at(short)).toBeLessThan(1_000);
    expect(at(large)).toBeGreaterThanOrEqual(20_000);
    expect(at(large)).toBeLessThan(20_500);
    for (const other of [long, uncapped]) expect(at(other)).toBeGreaterThanOrEqual(at(large));
  });
});

describe('a task that needs a whole node, among small ones with caps', () => {
  test.each([1, 3])('starts, led by %i nodes', leaders => {
    const world = new WaitingWorld({ nodes: [4, 4, 4], leaders });
    const each = smallOnes(world, 60_000);
    for (let n = 0; n < 50; n++) {
      each();
      world.step();
    }
    const large = world.submit({ cpu: 4, durationMs: 1_000 });
    expect(delayOf(world, large, { each, limitMs: 60_000 })).toBeLessThan(9_000);
  });
});

/** Tasks that start together, all of them as long as one runs. */
describe('a gang', () => {
  const cases = [1, 3].flatMap(leaders =>
    [undefined, 60_000].flatMap(capMs =>
      [
        { gang: 12, cpu: 1 },
        { gang: 3, cpu: 4 },
        { gang: 4, cpu: 3 },
        { gang: 5, cpu: 2 },
      ].map(size => ({ ...size, leaders, capMs })),
    ),
  );

  test.each(cases)(
    'of $gang times $cpu CPU starts among small tasks that always fit, led by $leaders nodes, their cap $capMs',
    ({ gang, cpu, leaders, capMs }) => {
      // Four nodes, of which the gang takes three or all, and nothing is ever all free.
      const world = new WaitingWorld({ nodes: [4, 4, 4, 4], leaders });
      let next = 0;
      const each = (): void => {
        while (world.waiting() < 16) {
          world.submit({ cpu: 1, durationMs: 700 + ((next++ * 311) % 1_900), capMs });
        }
      };
      for (let n = 0; n < 50; n++) {
        each();
        world.step();
      }
      const first = world.submit({ gang, cpu, durationMs: 1_000 });
      const delayMs = delayOf(world, first, { each, limitMs: 60_000 });
      // Five seconds until room is kept for it, and about as long as the longest small ones run.
      expect(delayMs).toBeLessThan(10_000);
      const starts = Array.from({ length: gang }, (_, n) => world.startedMs.get(first + n));
      expect(new Set(starts).size).toBe(1);
    },
  );

  test('starts although one node has what does not end', () => {
    const world = new WaitingWorld({ nodes: [2, 2, 2] });
    for (let n = 0; n < 2; n++) world.submit({ cpu: 1, durationMs: 1_000_000 });
    world.step();
    let next = 0;
    const each = (): void => {
      while (world.waiting() < 6) {
        world.submit({ cpu: 1, durationMs: 700 + ((next++ * 311) % 1_900) });
      }
    };
    for (let n = 0; n < 50; n++) {
      each();
      world.step();
    }
    const first = world.submit({ gang: 4, cpu: 1, durationMs: 1_000 });
    expect(delayOf(world, first, { each, limitMs: 60_000 })).toBeLessThan(9_000);
  });
});

describe('a small task', () => {
  test('starts among large ones that wait in a row', () => {
    const world = new WaitingWorld({ nodes: [4, 4], leaders: 2 });
    const each = (): void => {
      while (world.waiting() < 6) world.submit({ cpu: 4, durationMs: 2_000 });
    };
    for (let n = 0; n < 50; n++) {
      each();
      world.step();
    }
    const small = world.submit({ cpu: 1, durationMs: 500 });
    // Those that were there before it: six, two at a time.
    expect(delayOf(world, small, { each, limitMs: 120_000 })).toBeLessThan(12_000);
  });
});

describe('tenants', () => {
  test('one with 100,000 waiting tasks does not delay the ten of another by more than its share', {
    timeout: 300_000,
  }, () => {
    const world = new WaitingWorld({ nodes: [8, 8] });
    for (let n = 0; n < 100_000; n++) {
      world.submit({ cpu: 1, durationMs: 800 + ((n * 311) % 400), tenant: 'many' });
    }
    for (let n = 0; n < 20; n++) world.step();
    expect(world.busy('many')).toBe(16);
    const beganMs = world.nowMs;
    const few = Array.from({ length: 10 }, () =>
      world.submit({ cpu: 1, durationMs: 1_000, tenant: 'few' }),
    );
    for (let n = 0; n < 40; n++) world.step();
    const delays = few.map(job => (world.startedMs.get(job) ?? Number.POSITIVE_INFINITY) - beganMs);
    // Half of the cluster is theirs as soon as what runs has ended, the other two a second later.
    expect(delays.filter(delay => delay <= 1_300).length).toBeGreaterThanOrEqual(8);
    expect(Math.max(...delays)).toBeLessThanOrEqual(2_500);
  });

  test('with endless work have the same share in the end', () => {
    const world = new WaitingWorld({ nodes: [8, 8], leaders: 2 });
    const used = new Map<string, number>();
    for (let n = 0; n < 600; n++) {
      while (world.waiting('a') < 20) world.submit({ cpu: 1, durationMs: 900, tenant: 'a' });
      while (world.waiting('b') < 20) world.submit({ cpu: 2, durationMs: 1_300, tenant: 'b' });
      world.step();
      for (const tenant of ['a', 'b']) {
        used.set(tenant, (used.get(tenant) ?? 0) + world.busy(tenant));
      }
    }
    const [a = 0, b = 0] = [used.get('a'), used.get('b')];
    expect(a / b).toBeGreaterThan(0.8);
    expect(a / b).toBeLessThan(1.25);
  });
});
