/** The drive loop of a real node: what it answers at its end, and whom it listens to. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { hashText } from '../../../src/model/slots.ts';
import { newMessage } from '../../../src/raft/message.ts';
import { SmallWorld } from './small-world.ts';

const nothing = new Uint8Array(0);

describe('a drive loop that has stopped', () => {
  test('answers what is asked of it at once', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [node] = await world.cluster(1);
    const replica = node!.loop.replica(1)!;
    await world.within(node!.stop({ endTasks: false }));
    for (const ask of [
      () => node!.loop.propose(replica, nothing),
      () => node!.loop.read(replica),
      () => node!.loop.flush(replica),
    ]) {
      await expect(world.within<unknown>(ask(), 10)).rejects.toMatchObject({ code: 'notLeader' });
    }
  });

  test('says of a proposal under way that it may have happened', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [node] = await world.cluster(1);
    const replica = node!.loop.replica(1)!;
    world.faults.writeMsMin = 60_000;
    world.faults.writeMsMax = 60_000;
    const asked = node!.loop.propose(replica, nothing);
    const told = expect(world.within(asked)).rejects.toMatchObject({ code: 'outcomeUnknown' });
    await world.pass(10);
    await world.within(node!.loop.stop(), 6_000);
    await told;
  });

  test('tells whoever waits when it cannot go on', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [node] = await world.cluster(1);
    const replica = node!.loop.replica(1)!;
    world.faults.writeMsMin = 50;
    world.faults.writeMsMax = 50;
    const unreadable = node!.loop.propose(replica, Uint8Array.of(255));
    const behind = node!.loop.propose(replica, nothing);
    const both = Promise.all([
      expect(unreadable).rejects.toMatchObject({ code: 'outcomeUnknown' }),
      expect(behind).rejects.toMatchObject({ code: 'outcomeUnknown' }),
    ]);
    await world.within(both, 1_000);
    expect(world.fatals).toHaveLength(1);
  });
});

describe('a drive loop', () => {
  test('hears a replica from its own node only', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [first, second] = await world.cluster(3);
    const replica = second!.loop.replica(1)!;
    const leader = first!.loop.replica(1)!;
    const before = replica.core.term;
    const term = before + 5;
    const message = newMessage('MsgHeartbeat', leader.id, replica.id, term);
    second!.loop.receive('n3', 1, hashText('store-n2'), message);
    await world.pass(50);
    expect(replica.core.term).toBeLessThan(term);
  });

  test('makes no replica of a group that cannot be', async () => {
    const world = new SmallWorld({ shards: 1 });
    const [node] = await world.cluster(1);
    const group = limits.shardsMax + 1;
    const message = newMessage('MsgApp', 901, 900, 3);
    node!.loop.receive('n9', group, hashText('store-n1'), message);
    expect(node!.loop.replica(group)).toBeUndefined();
  });
});
