/** Whole nodes that tell what they keep of settled tasks, a page at a time. */
import { describe, expect, test } from 'vitest';
import { type TaskId, timeOfId } from '../../../src/model/ids.ts';
import type { TaskView } from '../../../src/model/task.ts';
import type { TschedNode } from '../../../src/node/node.ts';
import type { HistoryPage, HistoryQuery } from '../../../src/ports/history.ts';
import { admin, resources, SmallWorld, someSpec, submitted } from './small-world.ts';

/** All pages, each from the next of `nodes`. */
async function everything(
  world: SmallWorld,
  nodes: readonly TschedNode[],
  query: HistoryQuery = {},
): Promise<{ readonly tasks: TaskView[]; readonly pages: HistoryPage[] }> {
  const pages: HistoryPage[] = [];
  let cursor = query.cursor;
  do {
    const node = nodes[pages.length % nodes.length]!;
    const page = await world.within(node.api.history({ ...query, cursor }));
    pages.push(page);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { tasks: pages.flatMap(page => page.tasks), pages };
}

/** A cluster whose nodes are full for good: what is submitted waits until it is cancelled. */
async function fullCluster(world: SmallWorld, count: number): Promise<TschedNode[]> {
  const nodes = await world.cluster(count);
  const hog = someSpec({ request: resources(4_000), leaseMs: 3_600_000 });
  const hogs = await submitted(
    world,
    nodes[0]!,
    Array.from({ length: count }, () => hog),
  );
  const assigned = async (): Promise<number> =>
    (await world.within(nodes[0]!.api.list({ states: ['assigned'], limit: count }))).tasks.length;
  while ((await assigned()) < hogs.length) await world.pass(500);
  return nodes;
}

const idsOf = (tasks: readonly { readonly id: string }[]): string[] =>
  tasks.map(({ id }) => id).sort();

describe('an export', () => {
  test('has every settled task once, from whichever node its pages are', async () => {
    const world = new SmallWorld({ shards: 4 });
    const nodes = await fullCluster(world, 3);
    const ids: TaskId[] = [];
    for (let round = 0; round < 3; round++) {
      const specs = Array.from({ length: 400 }, () => someSpec());
      ids.push(...(await submitted(world, nodes[round]!, specs)));
    }
    const cancelled = ids.filter((_, place) => place % 10 !== 0);
    await world.within(nodes[0]!.api.cancel(cancelled, 'not needed', admin));
    // A few are queued on a node, which never tells how they ended.
    await world.pass(10_000);
    const leaders = nodes.flatMap(node => [...node.scheduler.leaders()]);
    const settled = ids.filter(id => leaders.some(({ machine }) => machine.isSettled(id)));
    expect(settled.length).toBeGreaterThan(600);
    const { tasks, pages } = await everything(world, nodes);
    expect(idsOf(tasks)).toEqual([...settled].sort());
    expect(Math.max(...pages.map(page => page.tasks.length))).toBeLessThanOrEqual(256);
    expect(pages.some(page => page.missingShard ?? page.staleShard)).toBe(false);
    // Within a shard in the order of IDs, so that a cursor is a place.
    for (const page of pages) expect(page.tasks.map(({ id }) => id)).toEqual(idsOf(page.tasks));
    // From any cursor on it is the rest.
    const [first, ...others] = pages;
    const rest = await everything(world, nodes, { cursor: first!.cursor });
    expect(rest.tasks).toEqual(others.flatMap(page => page.tasks));
  });

  test('has what was asked for, and of outcomes no output', async () => {
    const world = new SmallWorld({ shards: 2 });
    const nodes = await fullCluster(world, 1);
    const node = nodes[0]!;
    const [plain, keyed, labelled] = await submitted(world, node, [
      someSpec({ name: 'plain' }),
      someSpec({ orderKey: 'k' }),
      someSpec({
        labels: [
          ['team', 'data'],
          ['env', 'ci'],
        ],
      }),
    ]);
    const cancelled = async (id: TaskId): Promise<number> => {
      await world.within(node.api.cancel([id], 'not needed', admin));
      await world.pass(1_000);
      return (await world.within(node.api.get(id))).settledAtMs!;
    };
    await cancelled(plain!);
    const keyedMs = await cancelled(keyed!);
    const labelledMs = await cancelled(labelled!);
    const asked = async (query: HistoryQuery): Promise<string[]> =>
      (await everything(world, nodes, query)).tasks.map(({ id }) => id);
    expect(await asked({ namePrefix: 'pl' })).toEqual([plain]);
    expect(await asked({ orderKey: 'k' })).toEqual([keyed]);
    expect(await asked({ labels: [['team', 'data']] })).toEqual([labelled]);
    expect(
      await asked({
        labels: [
          ['team', 'data'],
          ['env', 'prod'],
        ],
      }),
    ).toEqual([]);
    expect(await asked({ settledSinceMs: keyedMs, settledUntilMs: labelledMs })).toEqual([keyed]);
    expect(await asked({ states: ['failed'] })).toEqual([]);
    expect(await asked({ tenant: 'nobody' })).toEqual([]);
    expect(await asked({ sinceMs: timeOfId(plain!) + 60_000 })).toEqual([]);
    expect(await asked({ untilMs: timeOfId(plain!) })).toEqual([]);
    const { tasks } = await everything(world, nodes);
    expect(tasks.every(({ outcome }) => (outcome?.tail ?? '') === '')).toBe(true);
    // The same filters hold for a listing, which has unsettled tasks too.
    const list = await world.within(
      node.api.list({ limit: 10, settledSinceMs: labelledMs, labels: [['env', 'ci']] }),
    );
    expect(list.tasks.map(({ id }) => id)).toEqual([labelled]);
  });

  test('takes no cursor that it did not give', async () => {
    const world = new SmallWorld({ shards: 2 });
    const [node] = await world.cluster(1);
    for (const cursor of ['', '1', '1.x', '1.0123456789', 'x.', '-1.']) {
      const asked = world.within(node!.api.history({ cursor }));
      await expect(asked, cursor).rejects.toMatchObject({ code: 'badRequest' });
    }
    expect(await world.within(node!.api.history({ cursor: '99.' }))).toEqual({ tasks: [] });
  });

  test('goes on without a shard that does not answer, and names it', async () => {
    const world = new SmallWorld({ shards: 2 });
    const nodes = await fullCluster(world, 3);
    const ids = await submitted(world, nodes[0]!, [someSpec()]);
    await world.within(nodes[0]!.api.cancel(ids, 'not needed', admin));
    for (const node of nodes.slice(1)) await world.within(node.stop({ endTasks: false }));
    await world.pass(10_000);
    const { tasks, pages } = await everything(world, [nodes[0]!]);
    expect(idsOf(tasks)).toEqual(ids);
    expect(pages.map(page => page.staleShard)).toEqual([1, 2]);
    const certain = world.within(nodes[0]!.api.history({ consistency: 'linearizable' }));
    await expect(certain).rejects.toMatchObject({ code: 'noQuorum' });
  });
});
