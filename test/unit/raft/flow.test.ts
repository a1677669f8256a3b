import { describe, expect, test } from 'vitest';
import { Inflights } from '../../../src/raft/inflights.ts';
import { Progress } from '../../../src/raft/progress.ts';
import { bytes, conf, TestGroup } from './group.ts';

function appendsTo(group: TestGroup, id: number): number[] {
  const appends = group.inFlight.filter(({ type, to }) => type === 'MsgApp' && to === id);
  return appends.map(({ entries }) => entries.length);
}

describe('flow control', () => {
  test('a follower gets appends ahead of its answers, up to the window by count', () => {
    const group = new TestGroup(conf(1, 2), { maxInflightMsgs: 3 });
    const leader = group.elect(1);
    for (let at = 0; at < 5; at++) {
      leader.core.propose([bytes('x')]);
      group.turn(leader);
    }
    expect(appendsTo(group, 2)).toEqual([1, 1, 1]);
    expect(leader.core.status().progress[1]).toMatchObject({ inflight: 3, paused: true });
    group.settle();
    expect(group.node(2).texts).toHaveLength(6);
  });

  test('and by bytes', () => {
    const group = new TestGroup(conf(1, 2), { maxInflightBytes: 250 });
    const leader = group.elect(1);
    for (let at = 0; at < 5; at++) {
      leader.core.propose([new Uint8Array(100)]);
      group.turn(leader);
    }
    expect(appendsTo(group, 2)).toEqual([1, 1, 1]);
    group.settle();
    expect(group.node(2).texts).toHaveLength(6);
  });

  test('one append carries no more than the limit, and at least one entry', () => {
    const group = new TestGroup(conf(1, 2), { maxSizePerMsg: 300, maxInflightMsgs: 2 });
    const leader = group.elect(1);
    group.cut.add('1>2');
    leader.core.propose([1, 2, 3, 4, 5].map(() => new Uint8Array(100)));
    group.settle();
    leader.core.propose([new Uint8Array(1000)]);
    group.settle();
    leader.core.reportUnreachable(2);
    group.heal();
    leader.core.tick();
    group.settle();
    const sizes = group.sent
      .filter(({ type, to }) => type === 'MsgApp' && to === 2)
      .map(({ entries }) => entries.reduce((sum, { data }) => sum + data.length, 0));
    expect(sizes.filter(size => size > 300)).toEqual([1000]);
    expect(group.node(2).texts).toHaveLength(7);
  });

  test('a window that was lost as a whole is found out by an empty append', () => {
    const group = new TestGroup(conf(1, 2, 3), { maxInflightMsgs: 2 });
    const leader = group.elect(1);
    group.cut.add('1>3');
    for (let at = 0; at < 4; at++) {
      leader.core.propose([bytes('x')]);
      group.settle();
    }
    group.heal();
    expect(leader.core.status().progress[2]).toMatchObject({ inflightFull: true });
    leader.core.tick();
    group.settle();
    expect(group.node(3).texts).toHaveLength(5);
  });

  test('an unreachable follower is probed with one append at a time', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(3);
    leader.core.propose([bytes('x')]);
    group.settle();
    leader.core.reportUnreachable(3);
    expect(leader.core.status().progress[2]).toMatchObject({ state: 'probe', next: 2 });
    for (let at = 0; at < 3; at++) {
      leader.core.propose([bytes('y')]);
      group.turn(leader);
    }
    expect(appendsTo(group, 3)).toHaveLength(1);
  });

  test('too much that is uncommitted is refused as busy, empty entries never', () => {
    const group = new TestGroup(conf(1, 2, 3), { maxUncommittedBytes: 10 });
    const leader = group.elect(1);
    group.isolate(1);
    expect(leader.core.propose([bytes('123456')]).ok).toBe(true);
    expect(leader.core.propose([bytes('12345')])).toMatchObject({ ok: false, why: 'busy' });
    expect(leader.core.propose([bytes('')]).ok).toBe(true);
    group.heal();
    leader.core.tick();
    group.settle();
    expect(leader.core.propose([bytes('1234567890')]).ok).toBe(true);
  });

  test('a snapshot that failed or arrived is followed by a probe after a sign of life', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(3);
    leader.core.propose([bytes('x'), bytes('y')]);
    group.settle();
    leader.compact();
    group.heal();
    group.cut.add('1>3');
    const probe = () => leader.core.status().progress[2]!;
    // The snapshot is offered once the follower is heard, and lost on its way.
    leader.core.reportUnreachable(3);
    leader.core.step({ ...group.sent[0]!, type: 'MsgHeartbeatResp', from: 3, to: 1, term: 1 });
    group.settle();
    expect(probe()).toMatchObject({ state: 'snapshot', pendingSnapshot: 3, paused: true });
    leader.core.reportSnapshot(3, false);
    expect(probe()).toMatchObject({ state: 'probe', next: 2, paused: true });
    leader.core.step({ ...group.sent[0]!, type: 'MsgHeartbeatResp', from: 3, to: 1, term: 1 });
    leader.core.reportSnapshot(3, true);
    expect(probe()).toMatchObject({ state: 'probe', next: 4, paused: true });
    group.heal();
    leader.core.tick();
    group.settle();
    expect(group.node(3).core.applied).toBe(3);
  });
});

describe('progress', () => {
  const fresh = () => new Progress(2, 5, false, new Inflights(2, 0));

  test('a refusal that is out of date changes nothing', () => {
    const peer = fresh();
    expect(peer.backOffTo(9, 3)).toBe(false);
    expect(peer.backOffTo(4, 1)).toBe(true);
    expect(peer.next).toBe(2);
    peer.advanceTo(1);
    peer.becomeReplicate();
    expect(peer.backOffTo(1, 0)).toBe(false);
  });

  test('never backs off below what matches', () => {
    const peer = fresh();
    peer.advanceTo(3);
    peer.next = 5;
    expect(peer.backOffTo(4, 0)).toBe(true);
    expect(peer.next).toBe(4);
  });

  test('knows when an empty append would tell of a new commit index', () => {
    const peer = fresh();
    peer.becomeReplicate();
    peer.sentEntries(3, 30);
    peer.sentCommit = 1;
    expect(peer.canBumpCommit(1)).toBe(false);
    expect(peer.canBumpCommit(2)).toBe(true);
    peer.sentCommit = 3;
    expect(peer.canBumpCommit(9)).toBe(false);
  });
});
