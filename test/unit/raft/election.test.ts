import { describe, expect, test } from 'vitest';
import { type Message, newMessage } from '../../../src/raft/message.ts';
import { bytes, conf, TestGroup, TestNode } from './group.ts';

const types = (messages: readonly Message[]) => messages.map(({ type, to }) => `${type}>${to}`);

describe('elections', () => {
  test('start after a drawn timeout between one and two election timeouts', () => {
    const waited = new Set<number>();
    for (let draw = 0; draw < 40; draw++) {
      const node = new TestNode(1, conf(1, 2, 3), { rng: () => draw * 7 });
      let ticks = 0;
      while (node.core.role === 'follower') {
        node.core.tick();
        ticks++;
      }
      waited.add(ticks);
    }
    expect(Math.min(...waited)).toBe(10);
    expect(Math.max(...waited)).toBe(19);
    expect(waited.size).toBe(10);
  });

  test('of a replica that is held back start later, and it votes as before', () => {
    const node = new TestNode(1, conf(1, 2, 3), { rng: () => 0 });
    node.core.holdBack(50);
    for (let tick = 0; tick < 59; tick++) node.core.tick();
    expect(node.core.role).toBe('follower');
    node.core.step(newMessage('MsgVote', 2, 1, 1, 0, 0));
    const [answer] = node.core.ready().msgsAfterPersist;
    expect(answer).toMatchObject({ type: 'MsgVoteResp', to: 2, reject: false });
    for (let tick = 0; tick < 60; tick++) node.core.tick();
    expect(node.core.role).toBe('preCandidate');
  });

  test('a pre-vote changes neither term nor vote', () => {
    const node = new TestNode(1, conf(1, 2, 3));
    node.core.campaign();
    const ready = node.core.ready();
    expect(node.core.role).toBe('preCandidate');
    expect(ready.persist?.hard).toBeUndefined();
    expect(types(ready.msgs)).toEqual(['MsgPreVote>2', 'MsgPreVote>3']);
    expect(ready.msgs.map(message => message.term)).toEqual([1, 1]);
  });

  test('a replica cut off does not raise terms and does not disturb when it comes back', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(3);
    for (let tick = 0; tick < 100; tick++) {
      for (const node of group.nodes) node.core.tick();
      group.settle();
    }
    expect(group.node(3).core.term).toBe(1);
    expect(group.node(3).core.role).toBe('preCandidate');
    group.heal();
    for (let tick = 0; tick < 30; tick++) {
      for (const node of group.nodes) node.core.tick();
      group.settle();
    }
    expect(leader.core.role).toBe('leader');
    expect(leader.core.term).toBe(1);
    expect(group.node(3).core.lead).toBe(1);
  });

  test('votes for one candidate per term, and for a log that holds no less than ours', () => {
    const node = new TestNode(3, conf(1, 2, 3));
    const ask = (from: number, term: number, index: number, logTerm: number) => {
      node.core.step(newMessage('MsgVote', from, 3, term, index, logTerm));
      return node.core.ready().msgsAfterPersist.map(({ reject }) => !reject);
    };
    expect(ask(1, 5, 0, 0)).toEqual([true]);
    expect(ask(2, 5, 9, 4)).toEqual([false]);
    expect(ask(1, 5, 0, 0)).toEqual([true]);
    const append = newMessage('MsgApp', 1, 3, 6);
    append.entries = [{ term: 6, index: 1, type: 0, data: bytes('a') }];
    node.core.step(append);
    node.core.ready();
    node.core.forgetLeader();
    expect(ask(2, 7, 1, 5)).toEqual([false]);
    expect(ask(2, 8, 1, 6)).toEqual([true]);
  });

  test('a promise waits for the vote to be durable', () => {
    const node = new TestNode(3, conf(1, 2, 3));
    node.core.step(newMessage('MsgVote', 1, 3, 1));
    const ready = node.core.ready();
    expect(ready.msgs).toEqual([]);
    expect(types(ready.msgsAfterPersist)).toEqual(['MsgVoteResp>1']);
    expect(ready.persist).toMatchObject({ hard: { term: 1, vote: 1 }, mustSync: true });
  });

  test('who hears its leader ignores candidates, unless the leader hands over', () => {
    const group = new TestGroup(conf(1, 2, 3));
    group.elect(1);
    const { core } = group.node(2);
    const vote = newMessage('MsgVote', 3, 2, 5, 9, 5);
    expect(core.step(vote)).toBe('ignored');
    expect(core.term).toBe(1);
    expect(core.step({ ...vote, transfer: true })).toBe('ok');
    expect(core.term).toBe(5);
  });

  test('a replica that forgot its leader votes at once', () => {
    const group = new TestGroup(conf(1, 2, 3));
    group.elect(1);
    group.isolate(1);
    group.node(2).core.forgetLeader();
    group.node(3).core.forgetLeader();
    group.elect(2);
    expect(group.node(2).core.term).toBe(2);
  });

  test('a leader without a majority steps down within two election timeouts', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.isolate(1);
    for (let tick = 0; tick < 20; tick++) {
      leader.core.tick();
      group.settle();
    }
    expect(leader.core.role).not.toBe('leader');
    expect(leader.core.propose([bytes('a')])).toMatchObject({ ok: false, why: 'notLeader' });
  });

  test('a replica stuck in a higher term makes the leader step down and a new term begin', () => {
    const group = new TestGroup(conf(1, 2, 3));
    group.elect(1);
    // Its vote for itself in term 7 was stored, then it lost every connection.
    group.node(3).core.step(newMessage('MsgAppResp', 2, 3, 7));
    expect(group.node(3).core.term).toBe(7);
    for (let tick = 0; tick < 60; tick++) {
      for (const node of group.nodes) node.core.tick();
      group.settle();
    }
    const leader = group.nodes.find(({ core }) => core.role === 'leader');
    expect(leader?.core.term).toBeGreaterThan(7);
    expect(new Set(group.nodes.map(({ core }) => core.term)).size).toBe(1);
  });

  test('a learner that is asked votes, but never campaigns', () => {
    const node = new TestNode(3, { ...conf(1, 2), learners: [3] });
    expect(node.core.campaign()).toBe(false);
    for (let tick = 0; tick < 50; tick++) node.core.tick();
    expect(node.core.role).toBe('follower');
    node.core.step(newMessage('MsgVote', 1, 3, 1));
    expect(node.core.ready().msgsAfterPersist).toMatchObject([{ reject: false, to: 1 }]);
  });

  test('a refused candidate learns what is committed and applies it before it asks again', () => {
    // Two voters shrink to one; the removed leader has a longer log and the news of the commit.
    const group = new TestGroup(conf(1, 2));
    const leader = group.elect(1);
    const context = new Uint8Array(0);
    const changes = [{ kind: 'remove', id: 1 }] as const;
    leader.core.proposeConf({ transition: 'explicit', changes, context });
    group.settle();
    expect(group.node(2).core.conf.votersOutgoing).toEqual([1, 2]);
    leader.core.proposeConf({ transition: 'auto', changes: [], context });
    group.turn(leader);
    leader.core.propose([bytes('late')]);
    // Node 2 gets and stores the end of the joint phase; the word that it is committed is lost.
    for (let round = 0; round < 6; round++) {
      for (const node of group.nodes) group.turn(node);
      group.inFlight = group.inFlight.filter(({ type, entries, to }) => {
        return to === 1 || type !== 'MsgApp' || entries.some(entry => entry.type === 2);
      });
      group.deliver();
    }
    expect(leader.core.conf).toEqual(conf(2));
    expect(leader.core.role).toBe('follower');
    expect(leader.core.lastIndex).toBeGreaterThan(group.node(2).core.lastIndex);
    expect(group.node(2).core.conf.votersOutgoing).toEqual([1, 2]);
    for (let tick = 0; tick < 60; tick++) {
      for (const node of group.nodes) node.core.tick();
      group.settle();
    }
    expect(group.node(2).core.conf).toEqual(conf(2));
    expect(group.node(2).core.role).toBe('leader');
  });
});

describe('handing over', () => {
  test('the target catches up, is elected at once, and nothing is taken meanwhile', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    group.cut.add('1>3');
    leader.core.propose([bytes('a')]);
    group.settle();
    group.heal();
    expect(leader.core.transferLeader(3)).toBe(true);
    expect(leader.core.propose([bytes('b')])).toMatchObject({ why: 'transferring' });
    leader.core.tick();
    group.settle();
    expect(group.node(3).core.role).toBe('leader');
    expect(leader.core.role).toBe('follower');
    expect(group.sent.some(({ type }) => type === 'MsgPreVote')).toBe(true);
    const votes = group.sent.filter(({ type, from }) => type === 'MsgVote' && from === 3);
    expect(votes.map(({ transfer }) => transfer)).toEqual([true, true]);
  });

  test('is given up after an election timeout, and refused for those who cannot lead', () => {
    const group = new TestGroup({ ...conf(1, 2), learners: [3] });
    const leader = group.elect(1);
    expect([1, 3, 9].map(id => leader.core.transferLeader(id))).toEqual([false, false, false]);
    expect(group.node(2).core.transferLeader(1)).toBe(false);
    group.isolate(2);
    leader.core.propose([bytes('a')]);
    group.settle();
    expect(leader.core.transferLeader(2)).toBe(true);
    for (let tick = 0; tick < 10; tick++) leader.core.tick();
    expect(leader.core.status().transferee).toBe(0);
  });
});
