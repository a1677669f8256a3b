/**
 * Tasks that are paused, suspended and changed while leaders change and machines fail: what is
 * paused is not placed, what stands still goes on where it was, and in the end all of it settles.
 */
import { expect, test } from 'vitest';
import type { TaskId } from '../../src/model/ids.ts';
import type { TaskView } from '../../src/model/task.ts';
import type { TaskControl } from '../../src/model/task-change.ts';
import type { TschedNode } from '../../src/node/node.ts';
import { someSpec } from '../unit/node/small-world.ts';
import { SimCluster, simAdminToken } from './cluster.ts';
import { type ControlCounts, operateControl } from './control-operator.ts';
import { drawOptions, type FaultKind } from './options.ts';
import { runSeed, setUp } from './run.ts';

const timeout = 240_000;
const actor = { name: 'ann', tenant: 'default' };

const noFaults = {
  nodes: 3,
  shards: 2,
  growUnderLoad: false,
  skewedClocks: false,
  clockRatePerMille: 0,
  historyMs: undefined,
  faults: [],
} as const;

/** A calm cluster, and short words for what a person does to it. */
class Calm {
  readonly cluster = new SimCluster({ ...drawOptions(3), ...noFaults });

  until(holds: () => boolean, what: string, limitMs = 120_000): Promise<void> {
    return this.cluster.until(holds, limitMs, () => what);
  }

  get node(): TschedNode {
    return this.cluster.nodes.find(({ node }) => node?.ready === true)!.node!;
  }

  finish<T>(work: Promise<T>): Promise<T> {
    return this.cluster.finish(work, 60_000, 'an answer');
  }

  async submit(argv: readonly string[]): Promise<TaskId> {
    const spec = someSpec({ tier: 'basic', run: { kind: 'command', argv } });
    const [reply] = await this.finish(this.node.api.submit([{ spec }], actor));
    if (reply?.ok !== true) throw new Error(`not accepted: ${reply?.message}`);
    return reply.id;
  }

  async control(id: TaskId, asked: TaskControl): Promise<void> {
    const [reply] = await this.finish(this.node.api.control([id], asked, actor));
    expect(reply).toMatchObject({ ok: true });
  }

  get(id: TaskId): Promise<TaskView> {
    return this.finish(this.node.api.get(id));
  }

  /** Looks again and again until the task is as it should be. */
  async becomes(id: TaskId, holds: (view: TaskView) => boolean, what: string): Promise<TaskView> {
    const endMs = this.cluster.time.nowMs + 120_000;
    for (;;) {
      const view = await this.get(id);
      if (holds(view)) return view;
      if (this.cluster.time.nowMs > endMs) throw new Error(`not ${what}: ${view.state}`);
      await this.pass(200);
    }
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.cluster.time.nowMs + ms;
    await this.until(() => this.cluster.time.nowMs >= endMs, 'time goes on', ms + 60_000);
  }

  /** Every shard gets another leader. */
  async changeLeaders(): Promise<void> {
    const leaders = (): Map<number, string> =>
      new Map(
        this.cluster.nodes.flatMap(({ id, node }) =>
          [...(node?.loop.replicas() ?? [])]
            .filter(replica => replica.leading && replica.group > 0)
            .map(replica => [replica.group, id] as const),
        ),
      );
    const before = leaders();
    for (const { node } of this.cluster.nodes) {
      for (const replica of node!.loop.replicas()) {
        if (!replica.leading || replica.group === 0) continue;
        const others = replica.core.conf.voters.filter(voter => voter !== replica.core.id);
        replica.core.transferLeader(others[0]!);
        node!.loop.touch(replica);
      }
    }
    await this.until(() => {
      const now = leaders();
      return [...before].every(([group, id]) => now.has(group) && now.get(group) !== id);
    }, 'every shard has another leader');
  }
}

test('a paused task and a paused cluster place nothing, whoever leads', { timeout }, async () => {
  const calm = new Calm();
  await setUp(calm.cluster);
  const how = { suspend: false, reason: 'maintenance' };
  await calm.finish(calm.node.api.pausePlacement('*', { on: true, ...how }, simAdminToken));
  const held = await calm.submit(['sim', 'ms=50']);
  const free = await calm.submit(['sim', 'ms=50']);
  await calm.control(held, { kind: 'pause', suspend: false, reason: 'later' });
  await calm.changeLeaders();
  await calm.pass(10_000);
  for (const id of [held, free]) {
    expect(await calm.get(id)).toMatchObject({ state: 'waiting', reason: 'Paused', attempts: [] });
  }
  await calm.finish(calm.node.api.pausePlacement('*', { on: false, ...how }, simAdminToken));
  await calm.becomes(free, view => view.state === 'succeeded', 'run');
  expect(await calm.get(held)).toMatchObject({
    state: 'waiting',
    reason: 'Paused',
    paused: { by: 'ann', reason: 'later' },
  });
  await calm.changeLeaders();
  await calm.control(held, { kind: 'resume' });
  await calm.becomes(held, view => view.state === 'succeeded', 'run');
});

test('a suspended attempt stands still over leaders and a crash of its node, then goes on', {
  timeout,
}, async () => {
  const calm = new Calm();
  await setUp(calm.cluster);
  const id = await calm.submit(['sim', 'ms=8000']);
  await calm.becomes(id, view => view.state === 'running', 'running');
  await calm.control(id, { kind: 'pause', suspend: true, reason: '' });
  const stands = (view: TaskView): boolean => view.attempts.at(-1)?.suspended === true;
  const view = await calm.becomes(id, stands, 'suspended');
  await calm.changeLeaders();
  const host = calm.cluster.nodes.find(node => node.id === view.attempts.at(-1)!.node)!;
  host.crash({ power: false });
  await calm.pass(3_000);
  calm.cluster.boot(host);
  await calm.until(() => host.node?.ready === true, 'its node is back');
  await calm.pass(30_000);
  // The same attempt: it was neither lost nor run again, and did not end by itself.
  expect(await calm.get(id)).toMatchObject({ state: 'running', lost: 0 });
  expect((await calm.get(id)).attempts).toHaveLength(1);
  await calm.control(id, { kind: 'resume' });
  const settled = await calm.becomes(id, one => one.state === 'succeeded', 'over');
  expect(settled.attempts).toHaveLength(1);
});

test('a cancel ends an attempt that stands still', { timeout }, async () => {
  const calm = new Calm();
  await setUp(calm.cluster);
  const id = await calm.submit(['sim', 'ms=600000']);
  await calm.becomes(id, view => view.state === 'running', 'running');
  await calm.control(id, { kind: 'pause', suspend: true, reason: '' });
  await calm.becomes(id, view => view.attempts.at(-1)?.suspended === true, 'suspended');
  await calm.finish(calm.node.api.cancel([id], 'enough', actor));
  await calm.becomes(id, view => view.state === 'cancelled', 'cancelled');
});

test('a cluster that is paused with what runs stops and goes on', { timeout }, async () => {
  const calm = new Calm();
  await setUp(calm.cluster);
  const id = await calm.submit(['sim', 'ms=4000']);
  await calm.becomes(id, view => view.state === 'running', 'running');
  const how = { suspend: true, reason: '' };
  await calm.finish(calm.node.api.pausePlacement('*', { on: true, ...how }, simAdminToken));
  await calm.becomes(id, view => view.attempts.at(-1)?.suspended === true, 'suspended');
  await calm.changeLeaders();
  await calm.pass(10_000);
  expect((await calm.get(id)).state).toBe('running');
  await calm.finish(calm.node.api.pausePlacement('*', { on: false, ...how }, simAdminToken));
  await calm.becomes(id, view => view.state === 'succeeded', 'over');
});

test('a cap that is changed while an attempt runs holds, also under the next leader', {
  timeout,
}, async () => {
  const calm = new Calm();
  await setUp(calm.cluster);
  const id = await calm.submit(['sim', 'ms=600000']);
  await calm.becomes(id, view => view.state === 'running', 'running');
  await calm.control(id, { kind: 'update', overrides: { capMs: 20_000 } });
  await calm.changeLeaders();
  expect(await calm.get(id)).toMatchObject({ state: 'running', updated: { set: { cap: '20s' } } });
  const view = await calm.becomes(id, one => one.state === 'failed', 'over its cap');
  expect(view.outcome?.kind).toBe('timedOut');
});

test.each([
  ['leaders that change', ['transfer', 'pause']],
  ['crashes and partitions', ['crash', 'partition', 'transfer']],
  ['lost power and supervisors', ['powerLoss', 'supervisorCrash', 'stop', 'transfer']],
] satisfies [string, FaultKind[]][])(
  'under %s everything settles once it may',
  { timeout },
  async (_what, faults) => {
    for (const seed of [1, 2]) {
      const counts: ControlCounts = {
        pauses: 0,
        suspends: 0,
        resumes: 0,
        updates: 0,
        clusterPauses: 0,
      };
      const options = {
        ...noFaults,
        faults,
        faultEveryMs: 2_000,
        longTaskPercent: 50,
        requestEveryMs: 200,
        events: 20_000,
      };
      const operator = (cluster: SimCluster): (() => void) => operateControl(cluster, counts);
      const result = await runSeed(seed, { options, operator });
      const story = [`seed ${seed}: ${result.message}`, ...result.last.slice(-40), ...result.state];
      expect(result.verdict, story.join('\n')).toBe('ok');
      const stopped = result.coverage.get('suspended') ?? 0;
      expect(counts.suspends + counts.pauses).toBeGreaterThan(5);
      expect(counts.updates).toBeGreaterThan(0);
      expect(stopped).toBeGreaterThan(0);
      expect(counts.clusterPauses).toBeGreaterThan(0);
    }
  },
);
