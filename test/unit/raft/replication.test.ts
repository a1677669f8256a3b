import { describe, expect, test } from 'vitest';
import { bytes, conf, TestGroup } from './group.ts';

describe('replication', () => {
  test('a command proposed at the leader is applied by every replica in the same place', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    const result = leader.core.propose([bytes('a'), bytes('b')]);
    expect(result).toEqual({ ok: true, first: 2, term: 1 });
    group.settle();
    for (const node of group.nodes) {
      expect(node.texts).toEqual(['', 'a', 'b']);
      expect(node.applied.map(entry => entry.index)).toEqual([1, 2, 3]);
    }
  });

  test('a batch of proposals costs one append per follower', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    leader.core.propose(Array.from({ length: 100 }, (_, at) => bytes(`c${at}`)));
    const { msgs } = group.turn(leader, true);
    const appends = msgs.filter(message => message.type === 'MsgApp');
    expect(appends.map(message => [message.to, message.entries.length])).toEqual([
      [2, 100],
      [3, 100],
    ]);
  });

  test('a single voter commits only what its own disk has', () => {
    const group = new TestGroup(conf(1));
    const leader = group.elect(1);
    leader.core.propose([bytes('a')]);
    const ready = group.turn(leader, true);
    expect(ready.persist?.entries).toHaveLength(1);
    expect(leader.core.committed).toBe(1);
    expect(leader.core.hasReady()).toBe(false);
    leader.complete();
    expect(leader.core.committed).toBe(2);
  });

  test('a follower answers an append only after its write', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    leader.core.propose([bytes('a')]);
    group.turn(leader);
    group.deliver();
    const ready = group.turn(group.node(2), true);
    expect(ready.msgs).toEqual([]);
    expect(ready.msgsAfterPersist.map(message => message.type)).toEqual(['MsgAppResp']);
    expect(ready.persist?.entries.map(entry => entry.index)).toEqual([2]);
  });

  test('a follower that answers nothing any more gets a snapshot once the log is cut', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(3);
    for (let at = 0; at < 5; at++) {
      leader.core.propose([bytes(`c${at}`)]);
      group.settle();
    }
    leader.compact();
    group.heal();
    leader.core.tick();
    group.settle();
    const snapshots = group.sent.filter(message => message.type === 'MsgSnap');
    expect(snapshots.map(message => [message.to, message.snapshot?.index])).toEqual([[3, 6]]);
    leader.core.propose([bytes('z')]);
    group.settle();
    expect(group.node(3).core.applied).toBe(7);
    expect(group.node(3).texts).toEqual(['', 'z']);
  });
});
