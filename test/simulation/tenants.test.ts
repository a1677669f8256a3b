/**
 * Tenants of a cluster of three on virtual time: what they may submit holds over all entry nodes,
 * also while the home of a tenant changes; what they may hold holds over all shards; and a tenant
 * that asks for too much is no burden to the others.
 */
import { expect, test } from 'vitest';
import { type NodeId, slotOfId, type TaskId } from '../../src/model/ids.ts';
import { tenantSlot } from '../../src/model/slots.ts';
import type { TschedNode } from '../../src/node/node.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import { leaseMs } from '../../src/quota/home.ts';
import { adminToken, SmallWorld, someSpec } from '../unit/node/small-world.ts';
import { type AttemptInterval, SimRunner } from './sim-runner.ts';

const minuteMs = 60_000;

interface Submitted {
  readonly atMs: number;
  readonly reply: SubmitReply;
}

class Town {
  readonly intervals: AttemptInterval[] = [];
  readonly world: SmallWorld;
  nodes: TschedNode[] = [];

  constructor(seed: number) {
    const { intervals } = this;
    this.world = new SmallWorld({
      shards: 4,
      seed,
      runner: (world, clock, random) =>
        new SimRunner({ scheduler: world.time, clock, random, intervals }),
    });
  }

  async begin(): Promise<void> {
    this.nodes = await this.world.cluster(3);
    await this.world.until(() => this.nodes.every(node => node.context.clusterVersion() >= 3));
    await this.world.pass(5_000);
  }

  async tenant(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    const { tenancy } = this.nodes[0]!.api;
    await this.world.within(tenancy.setPlan(`of-${name}`, values, adminToken));
    await this.world.within(tenancy.createTenant(name, `of-${name}`, adminToken));
    await this.world.until(() =>
      this.nodes.every(node => node.registry.machine()?.tenant(name) !== undefined),
    );
  }

  /** The shard that is the home of a tenant, and who leads it. */
  homeOf(name: string): { readonly shard: number; readonly leader: NodeId | undefined } {
    const shard = this.nodes[0]!.registry.machine()!.slotTable()[tenantSlot(name)]!;
    const leader = this.nodes.find(node => node.scheduler.leader(shard) !== undefined);
    return { shard, leader: leader?.context.nodeId };
  }

  /** One task every `everyMs` at each of these nodes for so long; resolves with the replies. */
  async submitSteadily(
    tenant: string,
    nodes: readonly TschedNode[],
    everyMs: number,
    forMs: number,
    argv = ['sim', 'ms=20'],
  ): Promise<Submitted[]> {
    const { time } = this.world;
    const endMs = time.nowMs + forMs;
    const told: Promise<Submitted>[] = [];
    const actor = { name: 'somebody', tenant };
    const spec = someSpec({ tenant, run: { kind: 'command', argv } });
    await new Promise<void>(resolve => {
      const submit = (): void => {
        for (const node of nodes) {
          const asked = node.api.submit([{ spec }], actor);
          told.push(asked.then(([reply]) => ({ atMs: time.nowMs, reply: reply! })));
        }
        if (time.nowMs + everyMs < endMs) time.after(everyMs, submit);
        else resolve();
      };
      submit();
    });
    return Promise.all(told);
  }

  /** From the acknowledgement of each task to the start of its first attempt. */
  startDelays(tasks: readonly Submitted[]): number[] {
    const starts = new Map<TaskId, number>();
    for (const { taskId, startMs } of this.intervals) {
      if (!starts.has(taskId)) starts.set(taskId, startMs);
    }
    return tasks.flatMap(({ atMs, reply }) => {
      const startMs = reply.ok ? starts.get(reply.id) : undefined;
      return startMs === undefined ? [] : [startMs - atMs];
    });
  }
}

const accepted = (replies: readonly Submitted[]): Submitted[] =>
  replies.filter(({ reply }) => reply.ok);

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

test('two tenants at ten times their limit from three entry nodes get what is theirs', async () => {
  const town = new Town(1);
  await town.begin();
  const [perSecond, burst] = [10, 20];
  const plan = { submitsPerSecond: String(perSecond), burst: String(burst) };
  await town.tenant('loud', plan);
  await town.tenant('shrill', plan);
  await town.tenant('quiet', { weight: '1' });
  const { world, nodes } = town;
  const alone = await world.within(town.submitSteadily('quiet', nodes, 500, 20_000), 30_000);
  await world.pass(2_000);
  // One every 30 ms at each of three nodes: a hundred a second.
  const [loud, shrill, quiet] = await world.within(
    Promise.all([
      town.submitSteadily('loud', nodes, 30, minuteMs),
      town.submitSteadily('shrill', nodes, 30, minuteMs),
      town.submitSteadily('quiet', nodes, 500, minuteMs),
    ]),
    minuteMs + 20_000,
  );
  await world.pass(5_000);
  for (const replies of [loud, shrill]) {
    expect(replies.length).toBeGreaterThan(5_900);
    const count = accepted(replies).length;
    // What the minute gives, what was there at its begin, and what a lease may carry over.
    expect(count).toBeLessThanOrEqual(perSecond * 60 + burst + (perSecond * leaseMs) / 1_000);
    expect(count).toBeGreaterThanOrEqual(perSecond * 60 * 0.95);
    for (const { reply } of replies) {
      if (reply.ok) continue;
      expect(reply).toMatchObject({ code: 'rateLimited' });
      expect(reply.message).toContain('may submit 10 tasks a second, 20 at once: try again in');
      expect(reply.retryAfterMs).toBeGreaterThan(0);
    }
  }
  expect(accepted(quiet)).toHaveLength(quiet.length);
  const [before, during] = [town.startDelays(alone), town.startDelays(quiet)];
  expect(during).toHaveLength(quiet.length);
  expect(median(during)).toBeLessThanOrEqual(median(before) + 20);
  expect(world.fatals).toEqual([]);
}, 300_000);

test('a limit holds while the home of its tenant changes and while it is cut off', async () => {
  const town = new Town(2);
  await town.begin();
  const [perSecond, burst] = [20, 20];
  await town.tenant('loud', { submitsPerSecond: '20', burst: '20' });
  const { world, nodes } = town;
  const before = town.homeOf('loud');
  const others = nodes.filter(node => node.context.nodeId !== before.leader);
  expect(others).toHaveLength(2);
  const submits = town.submitSteadily('loud', nodes, 20, minuteMs);
  world.time.after(15_000, () => {
    for (const other of others) world.net.cut(before.leader!, other.context.nodeId);
  });
  let between: NodeId | undefined;
  world.time.after(29_000, () => {
    between = others.find(node => node.scheduler.leader(before.shard) !== undefined)?.context
      .nodeId;
  });
  world.time.after(30_000, () => world.net.heal());
  const replies = await world.within(submits, minuteMs + 20_000);
  expect(between).toBeDefined();
  const count = accepted(replies).length;
  // The share of the node that was cut off, until the others have noticed that it is gone, on top.
  const unnoticed = (perSecond / 3) * 15;
  const most = perSecond * 60 + burst + (perSecond * leaseMs) / 1_000 + burst + unnoticed;
  expect(count).toBeLessThanOrEqual(most);
  expect(count).toBeGreaterThan(perSecond * 60 * 0.5);
  expect(world.fatals).toEqual([]);
}, 300_000);

test('an hour has no more than its limit, whoever is the home when', async () => {
  const town = new Town(3);
  await town.begin();
  await town.tenant('slow', { submitsPerHour: '120' });
  const { world, nodes } = town;
  const first = await world.within(town.submitSteadily('slow', nodes, 300, 6_000), 20_000);
  const { shard, leader } = town.homeOf('slow');
  const others = nodes.filter(node => node.context.nodeId !== leader);
  for (const other of others) world.net.cut(leader!, other.context.nodeId);
  await world.until(() => others.some(node => node.scheduler.leader(shard) !== undefined), 30_000);
  world.net.heal();
  await world.pass(5_000);
  const second = await world.within(town.submitSteadily('slow', others, 100, 10_000), 30_000);
  const counts = [accepted(first).length, accepted(second).length] as const;
  expect(counts[0]).toBe(first.length);
  expect(counts[0] + counts[1]).toBeLessThanOrEqual(120);
  // A new home loses what the one before had in hand: a sixtieth of the limit or what was asked.
  expect(counts[0] + counts[1]).toBeGreaterThan(100);
  const refused = second.filter(({ reply }) => !reply.ok);
  expect(refused[0]!.reply).toMatchObject({ code: 'rateLimited' });
  expect(refused.every(({ reply }) => !reply.ok && reply.retryAfterMs! > 60_000)).toBe(true);
}, 300_000);

test('no more run than the plan allows, over all shards, and the others wait for the quota', async () => {
  const town = new Town(4);
  await town.begin();
  await town.tenant('wide', { running: '3' });
  const { world, nodes } = town;
  const argv = ['sim', 'ms=2000'];
  const replies = await world.within(town.submitSteadily('wide', nodes, 100, 1_000, argv), 20_000);
  const ids = replies.flatMap(({ reply }) => (reply.ok ? [reply.id] : []));
  expect(new Set(ids.map(id => slotOfId(id))).size).toBeGreaterThan(4);
  await world.pass(3_000);
  const views = await world.within(Promise.all(ids.map(id => nodes[0]!.api.get(id))));
  const waiting = views.filter(view => view.state === 'waiting');
  expect(waiting.length).toBeGreaterThan(0);
  expect(waiting.some(view => view.reason === 'Quota')).toBe(true);
  await world.until(
    () => town.intervals.filter(({ endMs }) => endMs !== undefined).length >= ids.length,
    120_000,
  );
  for (const { startMs } of town.intervals) {
    const live = town.intervals.filter(
      one => one.startMs <= startMs && (one.endMs ?? Number.POSITIVE_INFINITY) > startMs,
    );
    expect(live.length).toBeLessThanOrEqual(3);
  }
}, 300_000);

test('a tenant has no more waiting tasks than its plan allows, but for what is under way', async () => {
  const town = new Town(5);
  await town.begin();
  await town.tenant('deep', { waiting: '30', running: '0' });
  const { world, nodes } = town;
  const replies = await world.within(town.submitSteadily('deep', nodes, 100, 5_000), 20_000);
  expect(accepted(replies).length).toBeGreaterThanOrEqual(25);
  expect(accepted(replies).length).toBeLessThanOrEqual(30);
  const refused = replies.find(({ reply }) => !reply.ok);
  expect(refused!.reply).toMatchObject({ code: 'quotaExceeded' });
  const detail = await world.within(nodes[1]!.api.tenancy.tenant('deep'));
  expect(detail.use.waiting).toBe(accepted(replies).length);
}, 300_000);

test('a task that its plan does not allow is refused, and a cap is given to one without', async () => {
  const town = new Town(6);
  await town.begin();
  await town.tenant('small', { tiers: 'basic', cap: '1h', cpu: '2' });
  const { world, nodes } = town;
  const actor = { name: 'somebody', tenant: 'small' };
  const ask = async (change: object): Promise<SubmitReply> => {
    const spec = someSpec({ tenant: 'small', ...change });
    const [reply] = await world.within(nodes[0]!.api.submit([{ spec }], actor));
    return reply!;
  };
  expect(await ask({ tier: 'premium' })).toMatchObject({
    code: 'notInPlan',
    message: 'tenant small: the plan allows tier basic, the task asks for premium',
  });
  expect(await ask({ capMs: 7_200_000 })).toMatchObject({
    code: 'notInPlan',
    message: 'tenant small: the plan allows a cap of 1h at most, the task asks for 2h',
  });
  const many = { ...someSpec().request, cpuMilli: 4_000 };
  expect(await ask({ request: many, limit: many })).toMatchObject({ code: 'notInPlan' });
  expect(await ask({ tenant: 'nobody' })).toMatchObject({ code: 'unknownTenant' });
  const reply = await ask({});
  expect(reply.ok).toBe(true);
  const spec = reply.ok ? await world.within(nodes[0]!.api.spec(reply.id)) : undefined;
  expect(spec?.capMs).toBe(3_600_000);
}, 300_000);

test('of two that want all there is, each gets as much as the weight of its plan says', async () => {
  const town = new Town(5);
  await town.begin();
  await town.tenant('light', { weight: '1' });
  await town.tenant('heavy', { weight: '3' });
  const { world, nodes, intervals } = town;
  const tenantOf = new Map<TaskId, string>();
  for (const tenant of ['light', 'heavy']) {
    const run = { kind: 'command', argv: ['sim', 'ms=500'] } as const;
    const request = { ...someSpec().request, cpuMilli: 500 };
    const spec = someSpec({ tenant, run, request, limit: request });
    const asked = nodes[0]!.api.submit(
      Array.from({ length: 500 }, () => ({ spec })),
      { name: 'somebody', tenant },
    );
    for (const reply of await world.within(asked)) if (reply.ok) tenantOf.set(reply.id, tenant);
  }
  expect(tenantOf.size).toBe(1_000);
  const begunMs = world.time.nowMs + 1_000;
  await world.pass(7_000);
  const started = (tenant: string): number =>
    intervals.filter(({ taskId, startMs }) => startMs >= begunMs && tenantOf.get(taskId) === tenant)
      .length;
  expect(started('light')).toBeGreaterThan(20);
  expect(started('heavy') / started('light')).toBeGreaterThan(2);
  expect(started('heavy') / started('light')).toBeLessThan(4.5);
});
