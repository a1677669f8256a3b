/**
 * Bugs that other implementations had and that no other file here is about; the whole list, with
 * the test for each, is in docs/TESTING.md.
 */
import { describe, expect, test } from 'vitest';
import { type ConfChange, type ConfOperation, newMessage } from '../../../src/raft/message.ts';
import { bytes, conf, TestGroup, TestNode } from './group.ts';

const change = (changes: readonly ConfOperation[]): ConfChange => ({
  transition: 'auto',
  changes,
  context: new Uint8Array(0),
});
const add = (id: number): ConfOperation => ({ kind: 'addVoter', id });
const remove = (id: number): ConfOperation => ({ kind: 'remove', id });

/** All but `id` forget their leader, so that they vote at once. */
function forget(group: TestGroup, id: number): void {
  for (const node of group.nodes) if (node.id !== id) node.core.forgetLeader();
}

describe('a single-server change that was never committed and another one after it', () => {
  // Ongaro, raft-dev 2015: with configurations in force as soon as they are appended, the first
  // leader's and the second one's have majorities without a common voter.
  test.each([
    ['one adds and one removes', add(5), remove(1)],
    ['both add', add(5), add(6)],
    ['both remove', remove(2), remove(1)],
  ])('have majorities that overlap where %s', (_what, first, second) => {
    const group = new TestGroup(conf(1, 2, 3, 4), {}, 6);
    const old = group.elect(1);
    group.isolate(1);
    expect(old.core.proposeConf(change([first])).ok).toBe(true);
    group.settle();
    expect(old.core.conf).toEqual(conf(1, 2, 3, 4));

    forget(group, 1);
    const next = group.elect(2);
    expect(next.core.proposeConf(change([second])).ok).toBe(true);
    group.settle();
    next.core.propose([bytes('kept')]);
    group.settle();
    expect(next.texts.at(-1)).toBe('kept');

    for (let tick = 0; tick < 25; tick++) old.core.tick();
    expect(old.core.role).not.toBe('leader');
    // The first leader comes back, with every voter but the second leader to vote for it.
    group.heal();
    group.isolate(2);
    forget(group, 2);
    for (let round = 0; round < 3; round++) {
      old.core.campaign();
      group.settle();
    }
    expect(old.core.role).not.toBe('leader');
    forget(group, 2);
    const heir = group.elect(3);
    group.settle();
    expect(heir.texts).toContain('kept');
  });
});

describe('a change of membership that is overwritten', () => {
  // canonical/raft 250: the configuration was not rolled back with the entry.
  test('was never in force, also on the replica that proposed it', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 4);
    const old = group.elect(1);
    group.isolate(1);
    old.core.proposeConf(change([add(4)]));
    group.settle();
    forget(group, 1);
    group.elect(2).core.propose([bytes('other')]);
    group.settle();
    group.heal();
    for (let tick = 0; tick < 3; tick++) {
      for (const node of group.nodes) node.core.tick();
      group.settle();
    }
    expect(old.texts.at(-1)).toBe('other');
    for (const id of [1, 2, 3]) expect(group.node(id).core.conf).toEqual(conf(1, 2, 3));
  });
});

describe('a leader that steps down', () => {
  // CCF 5674: it cut entries off that a majority may have had.
  test('keeps the entries that are not committed, and they are committed by the next leader', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    // Both followers take the entry, and no answer comes back.
    group.cut.add('2>1').add('3>1');
    leader.core.propose([bytes('x')]);
    group.settle();
    const last = leader.core.lastIndex;
    expect(leader.core.committed).toBeLessThan(last);
    for (let tick = 0; tick < 25; tick++) leader.core.tick();
    expect(leader.core.role).not.toBe('leader');
    group.settle();
    expect(leader.core.lastIndex).toBe(last);
    group.heal();
    forget(group, 0);
    group.elect(2);
    expect(group.node(2).texts).toContain('x');
  });
});

describe('a pre-candidate', () => {
  // raft-rs 0.3.1: votes of the election before counted, and the old leader stayed in place.
  test('starts without votes and without a leader', () => {
    const node = new TestNode(1, conf(1, 2, 3, 4, 5));
    node.core.step(newMessage('MsgHeartbeat', 5, 1, 1));
    expect(node.core.lead).toBe(5);
    const grant = (from: number): void => {
      node.core.step(newMessage('MsgPreVoteResp', from, 1, node.core.term + 1));
    };
    const campaign = (): void => {
      expect(node.core.campaign()).toBe(true);
      const { persist } = node.core.ready();
      if (persist !== undefined) node.core.persisted(persist.token);
    };
    campaign();
    expect(node.core.lead).toBe(0);
    grant(2);
    campaign();
    grant(3);
    expect(node.core.role).toBe('preCandidate');
    grant(4);
    expect(node.core.role).toBe('candidate');
  });
});

describe('a hand-over', () => {
  // HashiCorp raft 570 and 581: word of it came late, when somebody else led.
  test('that is told late does not depose the leader of a later term', () => {
    const group = new TestGroup(conf(1, 2, 3));
    group.elect(1);
    forget(group, 0);
    const leader = group.elect(3);
    const { term } = leader.core;
    group.node(2).core.step(newMessage('MsgTimeoutNow', 1, 2, term - 1));
    group.settle();
    expect(group.node(2).core.role).toBe('follower');
    expect(leader.core).toMatchObject({ role: 'leader', term });
  });

  test('to a voter that is removed meanwhile is given up, and proposals are taken again', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    expect(leader.core.proposeConf(change([remove(3)])).ok).toBe(true);
    group.cut.add('1>3');
    expect(leader.core.transferLeader(3)).toBe(true);
    expect(leader.core.propose([bytes('held')])).toMatchObject({ ok: false, why: 'transferring' });
    group.settle();
    expect(leader.core.conf).toEqual(conf(1, 2));
    expect(leader.core.propose([bytes('taken')]).ok).toBe(true);
    group.settle();
    expect(leader.texts.at(-1)).toBe('taken');
  });
});
