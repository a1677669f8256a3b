/** What holds of any plan, and of many leaders that plan from the same old advertisements. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Demand, NodeView, ReadyBatch } from '../../src/model/planning.ts';
import {
  addResources,
  noResources,
  type Resources,
  resourceNames,
  subtractResources,
  tierRank,
  tiers,
} from '../../src/model/resources.ts';
import { coolDownMs } from '../../src/placement/cool-down.ts';
import { verdicts } from '../../src/placement/explain.ts';
import { freeNow } from '../../src/placement/feasible.ts';
import { avoidMsMax, plan } from '../../src/placement/plan.ts';
import { batch, cpus, demand, lane, readyTask, taskId, view } from '../unit/placement/builders.ts';
import { runCluster } from './placement-cluster.ts';

const nowMs = 100_000;

const resources = (cpuMax: number): fc.Arbitrary<Resources> =>
  fc
    .record({
      cpuMilli: fc.nat(cpuMax),
      memoryBytes: fc.nat(100),
      diskBytes: fc.constantFrom(0, 0, 1),
      iops: fc.constantFrom(0, 0, 2),
      bandwidth: fc.constantFrom(0, 0, 2),
      ports: fc.nat(2),
    })
    .map(amounts => ({ ...noResources, ...amounts }));

const arbitraryNode = (position: number): fc.Arbitrary<NodeView> =>
  fc
    .record({
      total: resources(8_000),
      used: resources(4_000),
      reserved: resources(2_000),
      reservedCount: fc.nat(3),
      tier: fc.constantFrom(...tiers),
      ssd: fc.boolean(),
      zone: fc.constantFrom('a', 'b', undefined),
      standing: fc.constantFrom('up', 'up', 'up', 'up', 'stale', 'draining', 'bare', 'cooling'),
      queueRoom: fc.nat(8),
    })
    .map(given => {
      const free = { ...noResources };
      for (const name of resourceNames) {
        Object.assign(free, { [name]: Math.max(0, given.total[name] - given.used[name]) });
      }
      return view(`n${position}`, 0, {
        ageMs: given.standing === 'stale' ? 6_000 : 800,
        reserved: given.reserved,
        reservedCount: given.reservedCount,
        coolDownUntilMs: given.standing === 'cooling' ? nowMs + 1 : 0,
        advertisement: {
          total: given.total,
          free,
          tier: given.tier,
          labels: [
            ...(given.ssd ? [['disk', 'ssd'] as const] : []),
            ...(given.zone === undefined ? [] : [['zone', given.zone] as const]),
          ],
          draining: given.standing === 'draining',
          incarnation: given.standing === 'bare' ? '' : 'inc',
          queueRoom: given.queueRoom,
        },
      });
    });

const arbitraryDemand: fc.Arbitrary<Demand> = fc
  .record({
    request: resources(5_000),
    tier: fc.constantFrom(...tiers),
    ssd: fc.boolean(),
    prefer: fc.constantFrom(undefined, undefined, [['zone', 'a']] as const),
    spread: fc.constantFrom(undefined, undefined, { label: 'zone', group: 'g' }),
  })
  .map(({ ssd, ...fields }) => demand(0, { ...fields, require: ssd ? [['disk', 'ssd']] : [] }));

const arbitraryBatch = (from: number): fc.Arbitrary<ReadyBatch> =>
  fc
    .record({
      demand: arbitraryDemand,
      tasks: fc.array(
        fc.record({
          age: fc.nat(20_000),
          avoid: fc.subarray(['n0', 'n1', 'n2'], { maxLength: 2 }),
        }),
        { maxLength: 12 },
      ),
    })
    .map(({ demand: of, tasks }) => ({
      lane: lane(of),
      count: tasks.length,
      tasks: tasks
        .toSorted((left, right) => right.age - left.age)
        .map(({ age, avoid }, position) => ({
          ...readyTask(taskId(from + position), nowMs - age),
          avoid,
        })),
    }));

const arbitraryInput = fc.record({
  nodes: fc
    .integer({ min: 0, max: 6 })
    .chain(count => fc.tuple(...Array.from({ length: count }, (_, n) => arbitraryNode(n)))),
  batches: fc
    .integer({ min: 0, max: 5 })
    .chain(count => fc.tuple(...Array.from({ length: count }, (_, n) => arbitraryBatch(n * 100)))),
  maxPlacements: fc.constantFrom(1, 3, 1_000),
  seed: fc.nat(),
  nowMs: fc.constant(nowMs),
});

describe('any plan', () => {
  test('places each task at most once, on an open node of enough tier, labels and size', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const made = plan(input);
        expect(made.placements.length).toBeLessThanOrEqual(input.maxPlacements);
        const placed = made.placements.map(({ taskId: id }) => id);
        expect(new Set(placed).size).toBe(placed.length);
        for (const { node, demand: of, taskId: id } of made.placements) {
          const batch = input.batches.find(({ tasks }) => tasks.some(task => task.id === id));
          expect(batch?.lane.demand).toBe(of);
          const target = input.nodes.filter(other => other.advertisement.node === node);
          const kind = verdicts(of, [], target, nowMs)[0]?.verdict.kind;
          // Without room now it goes to the queue there.
          expect(['fits', 'resource']).toContain(kind);
        }
      }),
    );
  });

  test('never gives a node more than it has free, but for what its queue takes', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const taken = new Map<string, { sum: Resources; queued: number }>();
        for (const { node, demand: of } of plan(input).placements) {
          const target = input.nodes.find(other => other.advertisement.node === node);
          if (target === undefined) throw new Error(`no node ${node}`);
          const before = taken.get(node) ?? { sum: noResources, queued: 0 };
          const sum = addResources(before.sum, of.request);
          const free = freeNow(target);
          const fits = resourceNames.every(
            name => of.request[name] === 0 || sum[name] <= free[name],
          );
          taken.set(node, { sum, queued: before.queued + (fits ? 0 : 1) });
        }
        for (const [node, { queued }] of taken) {
          const target = input.nodes.find(other => other.advertisement.node === node);
          const room = target?.advertisement.queueRoom ?? 0;
          expect(queued).toBeLessThanOrEqual(Math.ceil(room / 2));
        }
      }),
    );
  });

  test('leaves no task that would fit a free node, unless it is at its limit', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const made = plan(input);
        if (made.placements.length === input.maxPlacements) return;
        const placed = new Set(made.placements.map(({ taskId: id }) => id));
        const reserved = new Map<string, Resources>();
        for (const { node, demand: of } of made.placements) {
          reserved.set(node, addResources(reserved.get(node) ?? noResources, of.request));
        }
        const after = input.nodes.map(other => ({
          ...other,
          reserved: addResources(
            other.reserved,
            reserved.get(other.advertisement.node) ?? noResources,
          ),
        }));
        for (const {
          lane: { demand: of },
          tasks,
        } of input.batches) {
          const left = tasks.filter(task => !placed.has(task.id));
          if (left.length > 0) expect(made.blocked.map(({ demand: d }) => d)).toContain(of);
          for (const task of left) {
            const fitting = verdicts(of, task.avoid, after, nowMs)
              .filter(({ verdict }) => verdict.kind === 'fits')
              .map(({ node }) => node);
            expect(made.claims.map(({ node }) => node)).toEqual(expect.arrayContaining(fitting));
          }
        }
      }),
    );
  });

  test('takes an avoided node only when no other could run the task, or after a long wait', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        for (const { node, demand: of, taskId: id } of plan(input).placements) {
          const task = input.batches.flatMap(({ tasks }) => tasks).find(other => other.id === id);
          if (task === undefined || !task.avoid.includes(node)) continue;
          const others = verdicts(of, task.avoid, input.nodes, nowMs).filter(({ verdict }) =>
            ['fits', 'resource', 'coolDown'].includes(verdict.kind),
          );
          const waited = nowMs - task.readySinceMs >= avoidMsMax;
          expect(waited || others.length === 0).toBe(true);
        }
      }),
    );
  });

  test('takes a node of a higher tier only where none of a lower one had room', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const [first] = plan({ ...input, maxPlacements: 1 }).placements;
        if (first === undefined) return;
        const task = input.batches
          .flatMap(({ tasks }) => tasks)
          .find(other => other.id === first.taskId);
        const fitting = verdicts(first.demand, task?.avoid ?? [], input.nodes, nowMs)
          .filter(({ verdict }) => verdict.kind === 'fits')
          .map(({ node }) => input.nodes.find(other => other.advertisement.node === node))
          .map(other => tierRank(other?.advertisement.tier ?? 'basic'));
        const taken = input.nodes.find(other => other.advertisement.node === first.node);
        const rank = tierRank(taken?.advertisement.tier ?? 'basic');
        if (fitting.length > 0) expect(rank).toBe(Math.min(...fitting));
      }),
    );
  });

  test('gives no task a better node while a lesser one has room, whatever was placed before', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const left = new Map(input.nodes.map(one => [one.advertisement.node, freeNow(one)]));
        const roomAt = (node: string, of: Demand): boolean =>
          resourceNames.every(
            name => of.request[name] === 0 || of.request[name] <= (left.get(node)?.[name] ?? 0),
          );
        for (const { node, demand: of, taskId: id } of plan(input).placements) {
          const task = input.batches.flatMap(({ tasks }) => tasks).find(other => other.id === id);
          const avoid = task?.avoid ?? [];
          const withRoom = input.nodes.filter(({ advertisement }) => {
            const [{ verdict } = { verdict: { kind: 'stale' } }] = verdicts(
              of,
              avoid,
              input.nodes.filter(other => other.advertisement === advertisement),
              nowMs,
            );
            return ['fits', 'resource'].includes(verdict.kind) && roomAt(advertisement.node, of);
          });
          const ranks = withRoom.map(({ advertisement }) => tierRank(advertisement.tier));
          const taken = input.nodes.find(other => other.advertisement.node === node)!;
          if (ranks.length > 0) {
            expect(roomAt(node, of)).toBe(true);
            expect(tierRank(taken.advertisement.tier)).toBe(Math.min(...ranks));
          }
          left.set(node, subtractResources(left.get(node) ?? noResources, of.request));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('keeps light tasks off better nodes for as many leaders as there are', () => {
    const options = fc.record({
      lesser: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
      leaders: fc.integer({ min: 1, max: 8 }),
      used: fc.nat(4),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(options, ({ lesser, leaders, used, seed }) => {
        const nodes = [
          ...lesser.map((count, at) =>
            view(`n${at}`, count, { advertisement: { free: cpus(Math.max(0, count - used)) } }),
          ),
          view('best', 64, { advertisement: { tier: 'premium', queueRoom: 8 } }),
        ];
        const room = lesser.reduce((sum, count) => sum + Math.max(0, count - used), 0);
        // All of them read the same advertisements; what is too much the workers refuse.
        for (let leader = 0; leader < leaders; leader++) {
          const made = plan({
            batches: [batch(demand(1), room, { from: leader * 100 })],
            nodes,
            nowMs,
            maxPlacements: 1_000,
            seed: seed + leader,
          });
          expect(made.placements).toHaveLength(room);
          expect(made.placements.map(({ node }) => node)).not.toContain('best');
        }
      }),
    );
  });

  test('takes what a task prefers among the nodes of the tier that it takes', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        const [first] = plan({ ...input, maxPlacements: 1 }).placements;
        if (first === undefined || first.demand.prefer === undefined) return;
        const task = input.batches
          .flatMap(({ tasks }) => tasks)
          .find(other => other.id === first.taskId);
        const fitting = verdicts(first.demand, task?.avoid ?? [], input.nodes, nowMs)
          .filter(({ verdict }) => verdict.kind === 'fits')
          .map(({ node }) => input.nodes.find(other => other.advertisement.node === node)!);
        const taken = input.nodes.find(other => other.advertisement.node === first.node)!;
        const { tier } = taken.advertisement;
        const inZone = (one: NodeView): boolean =>
          one.advertisement.labels.some(([name, value]) => name === 'zone' && value === 'a');
        const liked = fitting.filter(one => one.advertisement.tier === tier && inZone(one));
        if (liked.length > 0) expect(inZone(taken)).toBe(true);
      }),
    );
  });

  test('spreads a group evenly over the values of a label, with what lives already', () => {
    const options = fc.record({
      zones: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 4 }),
      live: fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
      tasks: fc.nat(30),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(options, ({ zones, live, tasks, seed }) => {
        const nodes = zones.flatMap((count, zone) =>
          Array.from({ length: count }, (_, at) =>
            view(`n${zone}-${at}`, 64, { advertisement: { labels: [['zone', `z${zone}`]] } }),
          ),
        );
        const counts = new Map(zones.map((_, zone) => [`n${zone}-0`, live[zone] ?? 0]));
        const of = demand(1, { spread: { label: 'zone', group: 'g' } });
        const made = plan({
          batches: [batch(of, tasks)],
          nodes,
          nowMs,
          spread: new Map([['g', counts]]),
          maxPlacements: 1_000,
          seed,
        });
        expect(made.placements).toHaveLength(tasks);
        const after = zones.map((_, zone) => live[zone] ?? 0);
        for (const { node } of made.placements) after[Number(/n(\d)/.exec(node)![1])]! += 1;
        // Level by level: no task went where more lived than elsewhere.
        zones.forEach((_, zone) => {
          if (after[zone]! > live[zone]!) {
            expect(after[zone]! - Math.min(...after)).toBeLessThanOrEqual(1);
          }
        });
      }),
    );
  });

  test('is the same for the same input', () => {
    fc.assert(
      fc.property(arbitraryInput, input => {
        expect(plan(input)).toEqual(plan(structuredClone(input)));
      }),
      { numRuns: 30 },
    );
  });
});

describe('1,000 tasks of one CPU on nodes of 2, 4 and 8', () => {
  const options = fc.record({
    seed: fc.nat(),
    leaders: fc.constantFrom(1, 8, 64),
    durationMs: fc.constantFrom(800, 2_000),
  });

  test('run within 10 % of 2:4:8, keep the CPUs busy and never exceed them', () => {
    fc.assert(
      fc.property(options, given => {
        const run = runCluster({ ...given, cpus: [2, 4, 8], tasks: 1_000, advertMs: 1_000 });
        for (const [position, count] of [2, 4, 8].entries()) {
          const share = (1_000 * count) / 14;
          const started = run.started[`n${position}`] ?? 0;
          expect(Math.abs(started - share)).toBeLessThanOrEqual(share / 10);
          expect(run.busiest[`n${position}`]).toBeLessThanOrEqual(count);
        }
        expect(run.use).toBeGreaterThan(0.85);
        if (given.leaders === 1) expect(run.refusals).toBe(0);
      }),
      { numRuns: 6 },
    );
  });
});

test('a pause after refusals grows to four seconds and is drawn between half and whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.nat(), (refusals, seed) => {
      const whole = Math.min(4_000, 250 * 2 ** Math.min(refusals - 1, 10));
      expect(coolDownMs(refusals, seed)).toBeGreaterThanOrEqual(whole / 2);
      expect(coolDownMs(refusals, seed)).toBeLessThanOrEqual(whole);
    }),
  );
});
