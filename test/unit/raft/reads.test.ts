import { describe, expect, test } from 'vitest';
import { newMessage } from '../../../src/raft/message.ts';
import { bytes, conf, TestGroup } from './group.ts';

describe('reads', () => {
  test('are confirmed by one round of heartbeats, however many there are', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    const ctrs = [1, 2, 3].map(() => leader.core.readIndex());
    expect(ctrs).toEqual([1, 2, 3].map(ctr => ({ ok: true, ctr })));
    const before = group.sent.length;
    group.settle();
    const beats = group.sent.slice(before).filter(({ type }) => type === 'MsgHeartbeat');
    expect(beats.map(({ to, readCtr }) => [to, readCtr])).toEqual([
      [2, 3],
      [3, 3],
    ]);
    expect(leader.reads.map(({ ctr }) => ctr)).toEqual([1, 2, 3]);
  });

  test('wait for the first commit of the term, also in a group of one', () => {
    const group = new TestGroup(conf(1));
    const { core } = group.node(1);
    core.campaign();
    while (core.role !== 'leader') group.turn(group.node(1));
    core.readIndex();
    group.turn(group.node(1), true);
    expect(group.node(1).reads).toEqual([]);
    group.settle();
    expect(group.node(1).reads).toEqual([{ ctr: 1, index: 1 }]);
  });

  test('are not confirmed by an answer to an older round', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    leader.core.readIndex();
    group.turn(leader);
    leader.core.readIndex();
    const old = newMessage('MsgHeartbeatResp', 2, 1, 1);
    old.readCtr = 1;
    leader.core.step(old);
    group.turn(leader);
    expect(leader.reads.map(({ ctr }) => ctr)).toEqual([1]);
  });

  test('need a majority of both halves in a joint phase', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 5);
    const leader = group.elect(1);
    const changes = [4, 5].map(id => ({ kind: 'addVoter' as const, id }));
    changes.push({ kind: 'addVoter', id: 4 });
    leader.core.proposeConf({ transition: 'explicit', changes, context: new Uint8Array(0) });
    group.settle();
    leader.core.tick();
    group.settle();
    expect(leader.core.conf.voters).toEqual([1, 2, 3, 4, 5]);
    leader.core.readIndex();
    const answer = (from: number) => {
      const reply = newMessage('MsgHeartbeatResp', from, 1, 1);
      reply.readCtr = 1;
      leader.core.step(reply);
      group.turn(leader);
      return leader.reads.length;
    };
    group.turn(leader);
    expect([answer(4), answer(2), answer(3)]).toEqual([0, 1, 1]);
  });

  test('of a leader that is deposed are reported as lost, each once', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(1);
    leader.core.readIndex();
    leader.core.readIndex();
    group.settle();
    leader.core.step(newMessage('MsgHeartbeat', 2, 1, 9));
    group.settle();
    expect(leader.readsLost).toEqual([1, 2]);
    expect(leader.reads).toEqual([]);
    expect(leader.core.readIndex()).toEqual({ ok: false, why: 'notLeader' });
  });

  test('get numbers that never come back, so an answer of an old term confirms nothing', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(1);
    leader.core.readIndex();
    group.settle();
    leader.core.step(newMessage('MsgAppResp', 2, 1, 4));
    group.heal();
    for (const node of group.nodes) node.core.forgetLeader();
    group.elect(1);
    expect(leader.core.readIndex()).toEqual({ ok: true, ctr: 2 });
    const late = newMessage('MsgHeartbeatResp', 2, 1, leader.core.term);
    late.readCtr = 1;
    leader.core.step(late);
    expect(leader.reads).toEqual([]);
    group.settle();
    expect(leader.reads.map(({ ctr }) => ctr)).toEqual([2]);
  });

  test('see everything that was acknowledged before they began', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    for (let at = 0; at < 5; at++) {
      leader.core.propose([bytes(`${at}`)]);
      group.settle();
      const { committed } = leader.core;
      leader.core.readIndex();
      group.settle();
      expect(leader.reads.at(-1)?.index).toBe(committed);
    }
  });

  test('rest on the lease only where that is asked for', () => {
    const group = new TestGroup(conf(1, 2, 3), { readOnlyLeaseBased: true });
    const leader = group.elect(1);
    leader.core.readIndex();
    group.turn(leader);
    expect(leader.reads).toEqual([{ ctr: 1, index: 1 }]);
    group.node(2).core.forgetLeader();
    expect(group.node(2).core.lead).toBe(1);
  });
});
