/** Listings and short IDs on a real node. */
import { describe, expect, test } from 'vitest';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

describe('a listing', () => {
  test('shows an acknowledged task whose row is on its way to the disk', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [node] = await world.cluster(1);
    const [id] = await submitted(world, node!, [someSpec()]);
    world.faults.writeMsMin = 200;
    world.faults.writeMsMax = 200;
    const replica = node!.loop.replica(1)!;
    // As the loop does every two seconds: the row leaves the machine's list of dirty ones.
    const flushed = node!.loop.flush(replica);
    await world.until(() => replica.machine.dirtyRows === 0);
    const page = await world.within(node!.api.list({ limit: 10 }));
    expect(page.tasks.map(task => task.id)).toEqual([id]);
    await world.within(flushed);
  });

  test('pages through many shards without showing a task twice or leaving one out', async () => {
    const world = new SmallWorld({ shards: 4 });
    const [node] = await world.cluster(1);
    const ids: string[] = [];
    for (let round = 0; round < 6; round++) {
      const specs = Array.from({ length: 7 }, (_, index) => someSpec({ name: `t${index}` }));
      ids.push(...(await submitted(world, node!, specs)));
      await world.pass(7);
    }
    const shown: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await world.within(node!.api.list({ limit: 5, cursor }));
      expect(page.tasks.length).toBeLessThanOrEqual(5);
      shown.push(...page.tasks.map(task => task.id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(shown).toEqual(ids.sort().reverse());
  });
});

describe('a short ID', () => {
  test('finds its task at whichever node and in whichever shard it is', async () => {
    const world = new SmallWorld({ shards: 2 });
    const nodes = await world.cluster(2);
    const ids = await submitted(
      world,
      nodes[0]!,
      Array.from({ length: 5 }, () => someSpec()),
    );
    for (const node of nodes) {
      for (const id of ids) {
        expect(await world.within(node.api.resolve(id.slice(-8)))).toBe(id);
      }
      expect(await world.within(node.api.resolve('last'))).toBe(ids.sort().at(-1));
    }
    await expect(world.within(nodes[1]!.api.resolve('zzzzzzzz'))).rejects.toMatchObject({
      code: 'unknownTask',
    });
  });

  test('is no word on a task while shards cannot be seen', async () => {
    const world = new SmallWorld({ shards: 2 });
    // The second of two nodes holds learners; a third would hold voters.
    const nodes = await world.cluster(2);
    const [id] = await submitted(world, nodes[0]!, [someSpec()]);
    world.net.cut('n1', 'n2');
    for (const replica of [...nodes[1]!.loop.replicas()]) {
      if (replica.group > 0) nodes[1]!.loop.dropReplica(replica);
    }
    for (const text of ['last', id!.slice(-8)]) {
      await expect(world.within(nodes[1]!.api.resolve(text))).rejects.toMatchObject({
        code: 'noQuorum',
      });
    }
  });
});
