import { describe, expect, test } from 'vitest';
import { confFault } from '../../../src/raft/membership.ts';
import type { ConfChange, ConfOperation } from '../../../src/raft/message.ts';
import { bytes, conf, TestGroup } from './group.ts';

function change(
  changes: readonly ConfOperation[],
  transition: ConfChange['transition'] = 'auto',
): ConfChange {
  return { transition, changes, context: new Uint8Array(0) };
}

const add = (id: number): ConfOperation => ({ kind: 'addVoter', id });
const learn = (id: number): ConfOperation => ({ kind: 'addLearner', id });
const remove = (id: number): ConfOperation => ({ kind: 'remove', id });

describe('membership changes', () => {
  test('grow one voter to three by learners and one joint change', () => {
    const group = new TestGroup(conf(1), {}, 3);
    const leader = group.elect(1);
    leader.core.propose([bytes('a')]);
    group.settle();
    expect(leader.core.proposeConf(change([learn(2), learn(3)])).ok).toBe(true);
    group.settle();
    leader.core.tick();
    group.settle();
    expect(leader.core.conf).toMatchObject({ voters: [1], learners: [2, 3] });
    expect(group.node(3).texts).toEqual(['', 'a']);
    expect(leader.core.proposeConf(change([add(2), add(3)])).ok).toBe(true);
    group.settle();
    // The joint phase was entered and left without anybody asking again.
    for (const node of group.nodes) expect(node.core.conf).toEqual(conf(1, 2, 3));
    group.isolate(1);
    group.node(2).core.forgetLeader();
    group.node(3).core.forgetLeader();
    group.elect(3);
  });

  test('replace a dead voter in one step while the other two decide', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 4);
    const leader = group.elect(1);
    group.isolate(3);
    leader.core.proposeConf(change([remove(3), add(4)]));
    for (let tick = 0; tick < 5; tick++) {
      group.settle();
      leader.core.tick();
    }
    expect(leader.core.conf).toEqual(conf(1, 2, 4));
    expect(group.node(4).core.conf).toEqual(conf(1, 2, 4));
    leader.core.propose([bytes('after')]);
    group.settle();
    expect(group.node(4).texts.at(-1)).toBe('after');
  });

  test('go one at a time, and not before the previous one is applied', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 5);
    const leader = group.elect(1);
    expect(leader.core.proposeConf(change([learn(4)])).ok).toBe(true);
    const second = leader.core.proposeConf(change([learn(5)]));
    expect(second).toEqual({ ok: false, why: 'confPending', lead: 1 });
    group.settle();
    expect(leader.core.proposeConf(change([learn(5)])).ok).toBe(true);
  });

  test('a new leader assumes an unapplied change in its log until all of it is applied', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 4);
    group.elect(1);
    const { core } = group.node(2);
    core.forgetLeader();
    group.node(3).core.forgetLeader();
    core.campaign();
    for (let round = 0; core.role !== 'leader' && round < 20; round++) {
      group.turn(group.node(2));
      group.deliver();
      group.turn(group.node(3));
      group.deliver();
    }
    expect(core.role).toBe('leader');
    expect(core.committedInTerm).toBe(false);
    group.settle();
    expect(core.committedInTerm).toBe(true);
    expect(core.proposeConf(change([learn(4)])).ok).toBe(true);
  });

  test('one that cannot be applied is refused before it is in the log', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    const last = leader.core.lastIndex;
    const impossible = [
      change([remove(1), remove(2), remove(3)]),
      change([]),
      change([remove(1), remove(2), remove(3)], 'explicit'),
    ];
    for (const one of impossible) {
      expect(leader.core.proposeConf(one)).toMatchObject({ ok: false, why: 'confInvalid' });
    }
    expect(leader.core.lastIndex).toBe(last);
  });

  test('a committed one that is impossible stops the process', () => {
    const group = new TestGroup(conf(1));
    const leader = group.elect(1);
    expect(() => leader.core.applyConf(change([remove(1)]))).toThrow(/removed all voters/);
  });

  test('a removed leader steps down and takes nothing any more', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    leader.core.proposeConf(change([remove(1)]));
    group.settle();
    expect(leader.core.role).toBe('follower');
    expect(leader.core.propose([bytes('x')])).toMatchObject({ ok: false, why: 'notLeader' });
    expect(leader.core.campaign()).toBe(false);
    group.node(3).core.forgetLeader();
    group.elect(2);
  });

  test('an explicit joint phase lasts until it is left, and takes no other change', () => {
    const group = new TestGroup(conf(1, 2, 3), {}, 4);
    const leader = group.elect(1);
    leader.core.proposeConf(change([add(4)], 'explicit'));
    for (let tick = 0; tick < 3; tick++) {
      group.settle();
      leader.core.tick();
    }
    expect(leader.core.conf.votersOutgoing).toEqual([1, 2, 3]);
    expect(leader.core.proposeConf(change([learn(5)]))).toMatchObject({ why: 'confPending' });
    expect(leader.core.proposeConf(change([])).ok).toBe(true);
    group.settle();
    expect(leader.core.conf).toEqual(conf(1, 2, 3, 4));
  });

  test('a voter that is demoted in a joint phase votes on until it ends', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    leader.core.proposeConf(change([learn(3)], 'explicit'));
    group.settle();
    expect(leader.core.conf).toMatchObject({ voters: [1, 2], learnersNext: [3], learners: [] });
    expect(leader.core.status().progress[2]).toMatchObject({ id: 3, learner: false });
    leader.core.proposeConf(change([]));
    group.settle();
    expect(leader.core.conf).toMatchObject({ voters: [1, 2], learners: [3] });
    expect(leader.core.status().progress[2]).toMatchObject({ id: 3, learner: true });
  });

  test('a snapshot carries the membership of its index, and only members take it', () => {
    const group = new TestGroup(conf(1, 2), {}, 3);
    const leader = group.elect(1);
    leader.core.proposeConf(change([learn(3)]));
    // The learner exists, but nothing reaches it before the log is cut.
    group.isolate(3);
    group.settle();
    const meta = leader.compact();
    expect(meta.conf).toMatchObject({ voters: [1, 2], learners: [3] });
    group.heal();
    leader.core.tick();
    group.settle();
    const { core } = group.node(3);
    expect(core.conf).toEqual(meta.conf);
    expect(core.applied).toBe(meta.index);
    const other = group.sent.find(({ type }) => type === 'MsgSnap')!;
    const stranger = { ...other, snapshot: { ...meta, index: 99, conf: conf(1, 2) } };
    expect(core.step(stranger)).toBe('ok');
    expect(core.lastIndex).toBe(meta.index);
  });
});

describe('a stored membership', () => {
  test('is checked for what it must not be', () => {
    const broken = [
      { ...conf(1, 1) },
      { ...conf(1), learners: [1] },
      { ...conf(1), learnersNext: [2] },
      { ...conf(1), autoLeave: true },
      { ...conf(0) },
      { ...conf(1, 2), votersOutgoing: [1, 2], learnersNext: [2] },
    ];
    for (const one of broken) expect(confFault(one)).toBeTypeOf('string');
    expect(confFault({ ...conf(1), votersOutgoing: [1, 2], learnersNext: [2] })).toBeUndefined();
  });
});
