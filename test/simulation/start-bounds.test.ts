/**
 * Start bounds in a whole cluster, by virtual time: missed ones are told once, however leaders
 * change; what is close to its bound goes first; what cannot start in time is dropped; off-peak
 * work waits for the load, its window or its bound.
 */
import { expect, test } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import { noResources } from '../../src/model/resources.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import type { SpecOverrides } from '../../src/model/spec-overrides.ts';
import type { TaskView } from '../../src/model/task.ts';
import type { NodeApi } from '../../src/ports/node-api.ts';
import type { ShardMachine } from '../../src/shard/machine.ts';
import { someSpec } from '../unit/node/small-world.ts';
import { SimCluster } from './cluster.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';

const timeout = 600_000;
const actor = { name: 'client', tenant: 'default' };

function specOf(cpuMilli: number, ms: number, parts: Partial<TaskSpec> = {}): TaskSpec {
  const request = { ...noResources, cpuMilli };
  return someSpec({
    run: { kind: 'command', argv: ['sim', `ms=${ms}`] },
    request,
    limit: request,
    backoff: { initialMs: 0, maxMs: 0 },
    ...parts,
  });
}

class World {
  readonly cluster = new SimCluster({
    ...drawOptions(1),
    nodes: 3,
    shards: 1,
    growUnderLoad: false,
    skewedClocks: false,
    clockRatePerMille: 0,
    wallOffsetMs: 0,
    faults: [],
    realStore: false,
  });

  static async make(): Promise<World> {
    const world = new World();
    await setUp(world.cluster);
    const { cluster } = world;
    const version = (): boolean =>
      cluster.nodes.every(({ node }) => node?.context.clusterVersion() === 3);
    await cluster.until(version, 60_000, () => 'the cluster has version 3');
    return world;
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.cluster.time.nowMs + ms;
    const there = (): boolean => this.cluster.time.nowMs >= untilMs;
    await this.cluster.until(there, ms + 1_000, () => 'time passes');
  }

  async ask<T>(work: (api: NodeApi) => Promise<T>): Promise<T> {
    const ready = () => this.cluster.nodes.find(({ node }) => node?.ready === true)?.node;
    await this.cluster.until(
      () => ready() !== undefined,
      60_000,
      () => 'a node is ready',
    );
    return await this.cluster.finish(work(ready()!.api), 60_000, 'an answer comes');
  }

  async submit(spec: TaskSpec): Promise<{ id: TaskId; startBoundMs: number | undefined }> {
    const [reply] = await this.ask(api => api.submit([{ spec }], actor));
    if (reply?.ok !== true) throw new Error(JSON.stringify(reply));
    return { id: reply.id, startBoundMs: reply.startBoundMs };
  }

  view(id: TaskId): Promise<TaskView> {
    return this.ask(api => api.get(id));
  }

  async untilView(id: TaskId, holds: (view: TaskView) => boolean, limitMs: number) {
    const endMs = this.cluster.time.nowMs + limitMs;
    for (;;) {
      const view = await this.view(id);
      if (holds(view)) return view;
      if (this.cluster.time.nowMs > endMs) throw new Error(JSON.stringify(view));
      await this.pass(200);
    }
  }

  /** Too much to be queued on a node that is full, and little enough for the largest one. */
  get large(): number {
    return Math.ceil(Math.max(...this.#totals) * 0.6);
  }

  get #totals(): number[] {
    return this.cluster.nodes.map(({ node }) => node!.worker.advertisement().total.cpuMilli);
  }

  /** Tasks that leave `leftMilli` of each node, for so long. */
  async fill(leftMilli: number, ms: number): Promise<void> {
    const totals = this.#totals;
    // The largest first: it fits the largest node only.
    for (const cpuMilli of totals.toSorted((left, right) => right - left)) {
      const { id } = await this.submit(specOf(cpuMilli - leftMilli, ms));
      await this.untilView(id, ({ state }) => state === 'running', 30_000);
    }
  }

  get machines(): ShardMachine[] {
    return this.cluster.nodes.flatMap(({ node }) => {
      const replica = node?.loop.replica(1);
      return replica === undefined ? [] : [replica.machine as unknown as ShardMachine];
    });
  }

  /** How often a replica says that the bound of the task was missed: the most that one says. */
  told(id: TaskId): number {
    const counts = this.machines.map(machine => {
      const events = machine.eventsAfter(machine.firstSeq - 1, 10_000);
      if (events === 'expired') return 0;
      return events.filter(({ kind, taskId }) => kind === 'boundMissed' && taskId === id).length;
    });
    return Math.max(...counts);
  }

  /** The node that leads the shard dies, and comes back later. */
  async changeLeader(): Promise<void> {
    const leads = (): (typeof this.cluster.nodes)[number] | undefined =>
      this.cluster.nodes.find(({ node }) => node?.loop.replica(1)?.leading === true);
    await this.cluster.until(
      () => leads() !== undefined,
      60_000,
      () => 'the shard has a leader',
    );
    const leader = leads()!;
    leader.crash({ power: false });
    await this.cluster.until(
      () => leads() !== undefined,
      60_000,
      () => 'another one leads',
    );
    this.cluster.boot(leader);
    await this.cluster.until(
      () => leader.node?.ready === true,
      60_000,
      () => 'it comes back',
    );
  }
}

test('a missed bound is told once, though leaders change around it', { timeout }, async () => {
  const world = await World.make();
  await world.fill(0, 100_000);
  const submittedMs = world.cluster.time.nowMs;
  const { id, startBoundMs } = await world.submit(
    specOf(world.large, 100, { toleranceMs: 20_000 }),
  );
  const waited = await world.view(id);
  expect(waited).toMatchObject({ state: 'waiting', startBoundMs, class: 'urgent' });
  expect(startBoundMs! - waited.submittedAtMs).toBe(20_000);
  await world.pass(17_000 - (world.cluster.time.nowMs - submittedMs));
  await world.changeLeader();
  await world.untilView(id, view => view.boundMissed === true, 60_000);
  expect(world.told(id)).toBe(1);
  await world.changeLeader();
  await world.pass(5_000);
  expect(world.told(id)).toBe(1);
  const settled = await world.untilView(id, ({ state }) => state === 'succeeded', 300_000);
  expect(settled.boundMissed).toBe(true);
  expect(world.told(id)).toBeLessThanOrEqual(1);
});

test('close to its bound a task goes before those of a better priority', { timeout }, async () => {
  const world = await World.make();
  await world.fill(0, 70_000);
  const before = { priority: 'high' as const, toleranceMs: 3_600_000 };
  const high: TaskId[] = [];
  for (let n = 0; n < 3; n++)
    high.push((await world.submit(specOf(world.large, 5_000, before))).id);
  const late = { priority: 'low' as const, toleranceMs: 75_000 };
  const { id } = await world.submit(specOf(world.large, 5_000, late));
  expect((await world.view(id)).class).toBe('delayable');
  await world.pass(20_000);
  expect((await world.view(id)).class).toBe('urgent');
  const started = async (task: TaskId): Promise<number> => {
    const view = await world.untilView(task, ({ state }) => state === 'succeeded', 200_000);
    return view.attempts[0]!.assignedAtMs;
  };
  const at = await started(id);
  for (const other of high) expect(await started(other)).toBeGreaterThanOrEqual(at);
});

test('what is changed of a task that waits moves its bound and its place under every leader', {
  timeout,
}, async () => {
  const world = await World.make();
  await world.fill(0, 150_000);
  const hour = 3_600_000;
  const first = await world.submit(specOf(world.large, 2_000, { toleranceMs: hour }));
  const second = await world.submit(specOf(world.large, 2_000, { toleranceMs: hour }));
  const change = async (id: TaskId, overrides: SpecOverrides): Promise<void> => {
    const asked = { kind: 'update', overrides } as const;
    const [reply] = await world.ask(api => api.control([id], asked, actor));
    expect(reply).toMatchObject({ ok: true });
  };
  const { id } = first;
  await change(id, { toleranceMs: 20_000 });
  await world.changeLeader();
  const startBoundMs = first.startBoundMs! - hour + 20_000;
  expect(await world.view(id)).toMatchObject({
    startBoundMs,
    class: 'urgent',
    updated: { set: { tolerance: '20s' } },
  });
  await world.untilView(id, view => view.boundMissed === true, 60_000);
  await world.changeLeader();
  await change(id, { toleranceMs: 2 * hour });
  await change(second.id, { priority: 'high' });
  await world.changeLeader();
  const ahead = await world.view(id);
  expect([ahead.class, ahead.boundMissed]).toEqual(['delayable', undefined]);
  const explained = await world.ask(api => api.explain(second.id));
  expect(explained).toMatchObject({ position: 1, readyInShard: 2, priority: 'high' });
  const startOf = async (task: TaskId): Promise<number> => {
    const view = await world.untilView(task, ({ state }) => state === 'succeeded', 300_000);
    return view.attempts[0]!.assignedAtMs;
  };
  expect(await startOf(second.id)).toBeLessThan(await startOf(id));
});

test('a task that cannot start in time is dropped with the reason', { timeout }, async () => {
  const world = await World.make();
  await world.fill(0, 60_000);
  const { id } = await world.submit(specOf(world.large, 100, { expireMs: 8_000 }));
  const view = await world.untilView(id, ({ state }) => state === 'aborted', 30_000);
  expect(view.reason).toBe('could not start within 8s, after which it expires');
  expect(view.settledAtMs! - view.submittedAtMs).toBeGreaterThanOrEqual(8_000);
  expect(view.attempts).toEqual([]);
});

test('off-peak work waits for the load, its window or its bound', { timeout }, async () => {
  const world = await World.make();
  // Over 80 % of the smallest cluster that is drawn, with room for every one of these.
  await world.fill(300, 200_000);
  const nowMs = world.cluster.nodes[0]!.node!.context.clock.wallMs();
  const from = (Math.floor(nowMs / 60_000) + 2) % 1_440;
  const window = { days: 0b1111111, from, to: (from + 60) % 1_440 };
  const byLoad = { byLoad: true, windows: [] };
  const hour = 3_600_000;
  const ids = {
    load: (await world.submit(specOf(50, 100, { offPeak: byLoad, toleranceMs: hour }))).id,
    window: (
      await world.submit(
        specOf(50, 100, { offPeak: { byLoad: true, windows: [window] }, toleranceMs: hour }),
      )
    ).id,
    bound: (await world.submit(specOf(50, 100, { offPeak: byLoad, toleranceMs: 75_000 }))).id,
  };
  const other = (await world.submit(specOf(50, 100))).id;
  await world.untilView(other, ({ state }) => state === 'succeeded', 5_000);
  await world.pass(2_000);
  for (const id of Object.values(ids)) {
    expect(await world.view(id)).toMatchObject({ state: 'waiting', reason: 'OffPeak' });
  }
  const startOf = async (id: TaskId): Promise<{ afterMs: number; atMs: number }> => {
    const view = await world.untilView(id, ({ state }) => state === 'succeeded', 300_000);
    const atMs = view.attempts[0]!.assignedAtMs;
    return { afterMs: atMs - view.submittedAtMs, atMs };
  };
  const bound = await startOf(ids.bound);
  expect(bound.afterMs).toBeGreaterThanOrEqual(15_000);
  expect(bound.afterMs).toBeLessThan(20_000);
  const opened = await startOf(ids.window);
  expect(Math.floor(opened.atMs / 60_000) % 1_440).toBe(from);
  const load = await startOf(ids.load);
  expect(load.afterMs).toBeGreaterThan(150_000);
});

test('after quiet minutes a delay and a bound count from the submit', { timeout }, async () => {
  const world = await World.make();
  const { id: before } = await world.submit(specOf(50, 100));
  await world.untilView(before, ({ state }) => state === 'succeeded', 5_000);
  await world.pass(300_000);
  const delayed = specOf(50, 100, { delayMs: 60_000, toleranceMs: 30_000 });
  const { id, startBoundMs } = await world.submit(delayed);
  expect(startBoundMs! - (await world.view(id)).submittedAtMs).toBe(90_000);
  const view = await world.untilView(id, ({ state }) => state === 'succeeded', 120_000);
  expect(view.attempts[0]!.assignedAtMs - view.submittedAtMs).toBeGreaterThanOrEqual(60_000);
  expect(view.boundMissed).toBeUndefined();
});
