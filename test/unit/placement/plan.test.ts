import { describe, expect, test } from 'vitest';
import type { NodeView, Plan, ReadyBatch } from '../../../src/model/planning.ts';
import { avoidMsMax, plan } from '../../../src/placement/plan.ts';
import { batch, cpus, demand, lane, taskId, view } from './builders.ts';

const nowMs = 2_000;

function planFor(
  batches: ReadyBatch[],
  nodes: NodeView[],
  changes: { seed?: number; maxPlacements?: number; nowMs?: number } = {},
): Plan {
  return plan({ batches, nodes, nowMs, maxPlacements: 1_000, seed: 7, ...changes });
}

const perNode = (made: Plan): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { node } of made.placements) counts[node] = (counts[node] ?? 0) + 1;
  return counts;
};

describe('a plan', () => {
  test('places what fits and says that the rest waits for resources', () => {
    const one = demand(1);
    const made = planFor([batch(one, 20)], [view('a', 2), view('b', 4), view('c', 8)]);
    expect(perNode(made)).toEqual({ a: 2, b: 4, c: 8 });
    expect(made.blocked).toEqual([{ demand: one, reason: 'Resources' }]);
    expect(made.placements.map(placement => placement.taskId)).toEqual(
      Array.from({ length: 14 }, (_, position) => taskId(position)),
    );
  });

  test('is the same for the same input, and others draw differently', () => {
    const nodes = Array.from({ length: 20 }, (_, position) => view(`n${position}`, 4));
    const nodesOf = (seed: number): string[] =>
      planFor([batch(demand(1), 5)], nodes, { seed }).placements.map(({ node }) => node);
    expect(nodesOf(1)).toEqual(nodesOf(1));
    const first = new Set(Array.from({ length: 50 }, (_, seed) => nodesOf(seed)[0]));
    expect(first.size).toBeGreaterThan(10);
  });

  test('stops at the most placements asked for, and calls nothing blocked', () => {
    const made = planFor([batch(demand(1), 20)], [view('a', 64)], { maxPlacements: 3 });
    expect(made.placements).toHaveLength(3);
    expect(made.blocked).toEqual([]);
  });

  test('names the supervisor that the assignment is made to', () => {
    expect(planFor([batch(demand(1), 1)], [view('a', 1)]).placements[0]).toMatchObject({
      node: 'a',
      nodeName: 'name-a',
      incarnation: 'inc-a',
    });
  });

  test('counts what was reserved since the advertisement', () => {
    const made = planFor([batch(demand(1), 9)], [view('a', 8, { reserved: cpus(6) })]);
    expect(made.placements).toHaveLength(2);
  });

  test('a task that asks for none of a resource does not mind that it is overdrawn', () => {
    const overdrawn = view('a', 2, {
      reserved: { ...cpus(0), memoryBytes: 500 },
      advertisement: { queueRoom: 0 },
    });
    expect(planFor([batch(demand(1), 1)], [overdrawn]).placements).toHaveLength(1);
  });
});

describe('nodes that take nothing', () => {
  test.each([
    ['a silent one', { ageMs: 5_001 }, 'NoNodes'],
    ['one without a supervisor', { advertisement: { incarnation: '' } }, 'NoNodes'],
    ['a draining one', { advertisement: { draining: true } }, 'NoNodes'],
    ['one that refused lately', { coolDownUntilMs: nowMs + 1 }, 'Resources'],
  ] as const)('%s', (_what, changes, reason) => {
    const made = planFor([batch(demand(1), 1)], [view('a', 4, changes)]);
    expect(made).toMatchObject({ placements: [], blocked: [{ reason }] });
  });

  test('a cool-down ends', () => {
    const made = planFor([batch(demand(1), 1)], [view('a', 4, { coolDownUntilMs: nowMs })]);
    expect(made.placements).toHaveLength(1);
  });
});

describe('the reason a demand waits', () => {
  const reason = (made: Plan): string | undefined => made.blocked[0]?.reason;

  test('without any node it is NoNodes', () => {
    expect(reason(planFor([batch(demand(1), 1)], []))).toBe('NoNodes');
  });

  test('without a node of the tier or label it is TierUnavailable', () => {
    const premium = demand(1, { tier: 'premium' });
    expect(reason(planFor([batch(premium, 1)], [view('a', 4)]))).toBe('TierUnavailable');
    const labelled = demand(1, { require: [['gpu', 'a100']] });
    expect(reason(planFor([batch(labelled, 1)], [view('a', 4)]))).toBe('TierUnavailable');
  });

  test('over every node it is NeverFits, unless a silent one is large enough', () => {
    const large = batch(demand(16), 1);
    expect(reason(planFor([large], [view('a', 4)]))).toBe('NeverFits');
    const silent = view('b', 16, { ageMs: 60_000 });
    expect(reason(planFor([large], [view('a', 4), silent]))).toBe('Resources');
  });
});

describe('the rank of nodes', () => {
  const tiered = (): NodeView[] => [
    view('p', 8, { advertisement: { tier: 'premium' } }),
    view('b', 2, { advertisement: { tier: 'basic' } }),
    view('r', 2, { advertisement: { tier: 'regular' } }),
  ];

  test('the lowest sufficient tier with room comes first', () => {
    expect(perNode(planFor([batch(demand(1), 2)], tiered()))).toEqual({ b: 2 });
    expect(perNode(planFor([batch(demand(1), 5)], tiered()))).toEqual({ b: 2, r: 2, p: 1 });
    const regular = demand(1, { tier: 'regular' });
    expect(perNode(planFor([batch(regular, 3)], tiered()))).toEqual({ r: 2, p: 1 });
  });

  test('then the lowest load, by the resource that is most used', () => {
    const busyMemory = { ...cpus(8), memoryBytes: 100 };
    const nodes = [
      view('a', 8, { advertisement: { total: busyMemory, free: { ...cpus(8), memoryBytes: 20 } } }),
      view('b', 8, { advertisement: { free: cpus(4) } }),
    ];
    for (let seed = 0; seed < 20; seed++) {
      expect(perNode(planFor([batch(demand(1), 1)], nodes, { seed }))).toEqual({ b: 1 });
    }
  });

  test('equal nodes are drawn in proportion to what they hold', () => {
    const nodes = [view('a', 2), view('b', 4), view('c', 8)];
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let seed = 0; seed < 7_000; seed++) {
      const node = planFor([batch(demand(1), 1)], nodes, { seed }).placements[0]?.node ?? '?';
      counts[node] = (counts[node] ?? 0) + 1;
    }
    expect(counts['a']).toBeGreaterThan(900);
    expect(counts['a']).toBeLessThan(1_100);
    expect(counts['c']).toBeGreaterThan(3_850);
    expect(counts['c']).toBeLessThan(4_150);
  });
});

describe('nodes where the task failed before', () => {
  const avoiding = (readySinceMs: number): ReadyBatch[] => [
    batch(demand(1), 1, { avoid: ['a'], readySinceMs }),
  ];
  const busy = view('b', 4, { advertisement: { free: cpus(0) } });

  test('are not taken while another has room', () => {
    expect(perNode(planFor(avoiding(1_000), [view('a', 8), view('b', 1)]))).toEqual({ b: 1 });
  });

  test('are not taken while another could run it later, for ten seconds', () => {
    const readySinceMs = nowMs - avoidMsMax;
    expect(planFor(avoiding(readySinceMs + 1), [view('a', 8), busy])).toMatchObject({
      placements: [],
      blocked: [{ reason: 'RoomKept' }],
    });
    expect(perNode(planFor(avoiding(readySinceMs), [view('a', 8), busy]))).toEqual({ a: 1 });
  });

  test('are waited out by the clock of the state, not that of cool-downs', () => {
    const input = {
      batches: avoiding(1_700_000_000_000),
      nodes: [view('a', 8), busy],
      nowMs: 50,
      maxPlacements: 1,
      seed: 1,
    };
    const planAfter = (waitedMs: number): Plan =>
      plan({ ...input, stateNowMs: 1_700_000_000_000 + waitedMs });
    expect(planAfter(avoidMsMax - 1).placements).toEqual([]);
    expect(planAfter(avoidMsMax).placements).toHaveLength(1);
  });

  test('are taken at once where no other could ever run it', () => {
    const small = view('b', 0.5);
    expect(perNode(planFor(avoiding(1_990), [view('a', 8), small]))).toEqual({ a: 1 });
  });

  test('do not hold up other tasks of the same demand', () => {
    const one = demand(1);
    const first = batch(one, 1, { avoid: ['a'] }).tasks;
    const rest = batch(one, 2, { from: 1 }).tasks;
    const tasks = [...first, ...rest];
    const made = planFor([{ lane: lane(one), count: 3, tasks }], [view('a', 8), busy]);
    expect(made.placements.map(({ taskId: id }) => id)).toEqual([taskId(1), taskId(2)]);
  });
});

describe('the order of tasks', () => {
  test('is by age over all demands, and a blocked demand is passed', () => {
    const big = demand(4);
    const small = demand(1);
    const batches = [
      batch(small, 1, { from: 10, readySinceMs: 1_300 }),
      batch(big, 2, { from: 20, readySinceMs: 1_200 }),
      batch(demand(2), 1, { from: 30, readySinceMs: 1_100 }),
    ];
    const made = planFor(batches, [view('a', 7)]);
    expect(made.placements.map(({ taskId: id }) => id)).toEqual([
      taskId(30),
      taskId(20),
      taskId(10),
    ]);
    expect(made.blocked).toEqual([{ demand: big, reason: 'Resources' }]);
  });
});

describe('the queue of a full node', () => {
  const full = (node: string, count: number, changes: Parameters<typeof view>[2] = {}): NodeView =>
    view(node, count, {
      ...changes,
      advertisement: { free: cpus(0), queueRoom: 8, ...changes.advertisement },
    });

  test('takes at most half of its room from one plan, when no node has room', () => {
    expect(perNode(planFor([batch(demand(1), 20)], [full('a', 4)]))).toEqual({ a: 4 });
    const free = view('b', 8, { advertisement: { queueRoom: 0 } });
    expect(perNode(planFor([batch(demand(1), 8)], [full('a', 4), free]))).toEqual({ b: 8 });
  });

  test('is not for tasks that take more than half of the node', () => {
    expect(planFor([batch(demand(3), 1)], [full('a', 4)])).toMatchObject({ placements: [] });
    expect(planFor([batch(demand(2), 1)], [full('a', 4)]).placements).toHaveLength(1);
  });

  test('fills in proportion to what the node holds', () => {
    const made = planFor([batch(demand(1), 5)], [full('a', 2), full('b', 8)]);
    expect(perNode(made)).toEqual({ a: 1, b: 4 });
  });

  test('counts what this leader sent there since the advertisement', () => {
    const sent = { reserved: cpus(3), reservedCount: 3 };
    const made = planFor([batch(demand(1), 20)], [full('a', 4, sent)]);
    expect(made.placements).toHaveLength(1);
  });

  test('is never longer than what the node runs at a time', () => {
    const made = planFor([batch(demand(1), 20)], [full('a', 2)]);
    expect(made.placements).toHaveLength(2);
    const queued = full('a', 4, { advertisement: { queued: 4, queueRoom: 4 } });
    expect(planFor([batch(demand(1), 1)], [queued]).placements).toEqual([]);
  });

  test('is left to an older task that waits for room on the node', () => {
    const batches = [
      batch(demand(4), 1, { readySinceMs: 500 }),
      batch(demand(1), 1, { from: 5, readySinceMs: 900 }),
    ];
    expect(planFor(batches, [full('a', 4)]).placements).toEqual([]);
  });
});
