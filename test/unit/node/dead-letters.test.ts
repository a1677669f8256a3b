/** Rules, dead letters and lines on real nodes: from whichever node, at whichever leader. */
import { describe, expect, test } from 'vitest';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { slotOfId, type TaskId } from '../../../src/model/ids.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import { admin, adminToken, SmallWorld, someSpec, submitted } from './small-world.ts';

const leaders = (nodes: readonly TschedNode[]): ShardLeader[] =>
  nodes.flatMap(node => [...node.scheduler.leaders()]);

const leaderOf = (nodes: readonly TschedNode[], id: TaskId): ShardLeader => {
  const leader = leaders(nodes).find(one => one.machine.knows(id));
  if (leader === undefined) throw new Error(`nobody leads the shard of ${id}`);
  return leader;
};

async function adopted(count: number): Promise<{ world: SmallWorld; nodes: TschedNode[] }> {
  const world = new SmallWorld({ shards: 2 });
  const nodes = await world.cluster(count);
  await world.until(
    () => leaders(nodes).length === 2 && leaders(nodes).every(({ machine }) => machine.rules === 3),
  );
  return { world, nodes };
}

/** A task that ran once and failed. */
async function failed(
  { world, nodes }: Awaited<ReturnType<typeof adopted>>,
  spec: TaskSpec = someSpec(),
): Promise<TaskId> {
  const [id] = await submitted(world, nodes[0]!, [spec]);
  const live = () =>
    leaderOf(nodes, id!)
      .machine.liveAttempts()
      .find(one => one.taskId === id);
  await world.until(() => live() !== undefined);
  const items = [{ taskId: id!, fence: live()!.fence, outcome: systemOutcome('failed', 5, 'no') }];
  await world.within(leaderOf(nodes, id!).ask({ kind: 'finish', items }));
  return id!;
}

describe('dead letters', () => {
  test('are listed, replayed once and purged through a node that leads nothing of them', async () => {
    const cluster = await adopted(2);
    const { world, nodes } = cluster;
    const [first, second] = [await failed(cluster), await failed(cluster)];
    for (const node of nodes) {
      const { tasks } = await world.within(node.api.list({ limit: 10, deadLetters: true }));
      expect(tasks.map(task => task.id).sort()).toEqual([first, second].sort());
      expect(tasks[0]).toMatchObject({ outcome: { kind: 'failed', tail: '' } });
    }
    const [replay, missing] = await world.within(
      nodes[1]!.api.replay(
        [first, `${first.slice(0, 19)}${first.endsWith('0') ? '1' : '0'}` as TaskId],
        admin,
      ),
    );
    expect(replay).toMatchObject({ ok: true, repeated: false });
    expect(missing).toMatchObject({ ok: false, code: 'unknownTask' });
    const again = await world.within(nodes[0]!.api.replay([first], admin));
    expect(again).toMatchObject([{ ok: false, code: 'notDeadLetter' }]);
    const id = (replay as { id: TaskId }).id;
    expect(slotOfId(id)).toBe(slotOfId(first));
    const view = await world.within(nodes[0]!.api.get(id));
    expect([view.retryOf, view.deadLetter]).toEqual([first, undefined]);
    const purge = () => world.within(nodes[1]!.api.purge([second], admin));
    expect(await purge()).toMatchObject([{ ok: true, repeated: false }]);
    expect(await purge()).toMatchObject([{ ok: true, repeated: true }]);
    const { tasks } = await world.within(nodes[0]!.api.list({ limit: 10, deadLetters: true }));
    expect(tasks).toEqual([]);
    const gauge = nodes[0]!.api.metrics().find(({ name }) => name === 'tsched_dead_letters');
    expect(gauge?.value).toBe(0);
  });

  test('leave their idempotency key with the first task, and keep their place in an array', async () => {
    const cluster = await adopted(1);
    const { world, nodes } = cluster;
    const spec = someSpec({ idempotencyKey: 'key' });
    const first = await failed(cluster, spec);
    const [reply] = await world.within(nodes[0]!.api.replay([first], admin));
    const id = (reply as { id: TaskId }).id;
    expect((await world.within(nodes[0]!.api.spec(id))).idempotencyKey).toBeUndefined();
    const repeat = await world.within(nodes[0]!.api.submit([{ spec }], admin));
    expect(repeat).toMatchObject([{ ok: true, id: first, repeated: true }]);
  });

  test('are replayed as far as the limits of their tenant go; what is not stays one', async () => {
    const cluster = await adopted(2);
    const { world, nodes } = cluster;
    const { tenancy } = nodes[0]!.api;
    await world.within(tenancy.createTenant('acme', 'unlimited', adminToken));
    await world.pass(1_000);
    const spec = someSpec({ tenant: 'acme' });
    const ids = [await failed(cluster, spec), await failed(cluster, spec)];
    ids.push(await failed(cluster, spec));
    await world.within(tenancy.setPlan('tight', { submitsPerSecond: '1', burst: '2' }, adminToken));
    await world.within(tenancy.setTenant('acme', 'tight', adminToken));
    await world.pass(5_000);
    const replies = await world.within(nodes[1]!.api.replay(ids, admin));
    const refused = replies.filter(reply => !reply.ok);
    expect(refused).toMatchObject([{ code: 'rateLimited', retryAfterMs: expect.any(Number) }]);
    const left = await world.within(nodes[0]!.api.list({ limit: 10, deadLetters: true }));
    expect(left.tasks.map(task => task.id)).toEqual(refused.map(reply => reply.id));
    await world.pass(2_000);
    // What is none any more takes no permit from what is one.
    const again = await world.within(nodes[0]!.api.replay([...ids, ...ids], admin));
    expect(again.filter(reply => reply.ok)).toHaveLength(1);
    expect(new Set(again.flatMap(reply => (reply.ok ? [] : [reply.code])))).toEqual(
      new Set(['notDeadLetter']),
    );
  });

  test('become what they were changed to last', async () => {
    const cluster = await adopted(1);
    const { world, nodes } = cluster;
    const { api } = nodes[0]!;
    const [id] = await submitted(world, nodes[0]!, [someSpec({ delayMs: 5_000 })]);
    const overrides = { priority: 'high', toleranceMs: 60_000 } as const;
    await world.within(api.control([id!], { kind: 'update', overrides }, admin));
    const { machine } = leaderOf(nodes, id!);
    await world.until(() => machine.liveAttempts().length === 1);
    const { fence } = machine.liveAttempts()[0]!;
    const items = [{ taskId: id!, fence, outcome: systemOutcome('failed', 5, 'no') }];
    await world.within(leaderOf(nodes, id!).ask({ kind: 'finish', items }));
    const [reply] = await world.within(api.replay([id!], admin));
    const spec = await world.within(api.spec((reply as { id: TaskId }).id));
    expect(spec).toMatchObject({ priority: 'high', toleranceMs: 60_000 });
    expect(spec.delayMs).toBeUndefined();
  });

  test('are refused while some node could not read what they need', async () => {
    const world = new SmallWorld({ shards: 1 });
    world.readsOf.set('n1', 2);
    const [node] = await world.cluster(1);
    await world.pass(2_000);
    expect(leaders([node!])[0]!.machine.rules).toBe(1);
    const [id] = await submitted(world, node!, [someSpec()]);
    await expect(node!.api.replay([id!], admin)).rejects.toThrow('before cluster version 3');
    const ordered = await world.within(
      node!.api.submit([{ spec: someSpec({ orderKey: 'k' }) }], admin),
    );
    expect(ordered).toMatchObject([{ ok: false, code: 'notYet' }]);
  });
});

describe('tasks of an order key', () => {
  test('wait for their turn, with the reason and how many stand before them', async () => {
    const { world, nodes } = await adopted(2);
    const spec = someSpec({ orderKey: 'k' });
    const ids = await submitted(world, nodes[0]!, [spec, spec, spec]);
    await world.until(() => leaderOf(nodes, ids[0]!).machine.liveAttempts().length === 1);
    expect(await world.within(nodes[1]!.api.get(ids[2]!))).toMatchObject({
      state: 'waiting',
      reason: 'OrderKey',
      orderKey: 'k',
    });
    const { message } = await world.within(nodes[0]!.api.explain(ids[2]!));
    expect(message).toBe(
      'waits for its turn: 2 of its order key that were taken before it have not settled',
    );
    await world.within(nodes[1]!.api.cancel([ids[1]!], '', admin));
    const later = await world.within(nodes[0]!.api.explain(ids[2]!));
    expect(later.message).toContain('turn: 1 of its order key');
  });
});
