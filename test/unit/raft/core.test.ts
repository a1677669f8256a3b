import { describe, expect, test } from 'vitest';
import { RaftCore } from '../../../src/raft/core.ts';
import { RaftFatal } from '../../../src/raft/fatal.ts';
import { MemoryLog } from '../../../src/raft/memory-log.ts';
import { newMessage } from '../../../src/raft/message.ts';
import { productionConfig } from '../../../src/raft/production.ts';
import { bytes, conf, rng, TestGroup, TestNode, testConfig } from './group.ts';

describe('ready', () => {
  test('what is handed out does not change when more work comes up', () => {
    const group = new TestGroup(conf(1));
    const leader = group.elect(1);
    leader.core.propose([bytes('a')]);
    const ready = leader.core.ready();
    const before = structuredClone(ready);
    leader.core.propose([bytes('b')]);
    leader.core.readIndex();
    leader.core.step({ ...newMessage('MsgAppResp', 2, 1, 1), reject: true });
    expect(structuredClone(ready)).toEqual(before);
    expect(ready.persist?.token.responses).toHaveLength(1);
  });

  test('an empty hand-out does not collect later work either', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    const ready = leader.core.ready();
    leader.core.propose([bytes('a')]);
    expect(ready.msgs).toEqual([]);
    expect(ready.msgsAfterPersist).toEqual([]);
    expect(ready.persist).toBeUndefined();
  });

  test('hands the same work out only once', () => {
    const group = new TestGroup(conf(1));
    const leader = group.elect(1);
    leader.core.propose([bytes('a')]);
    leader.core.ready();
    expect(leader.core.hasReady()).toBe(false);
    const again = leader.core.ready();
    expect(again.persist).toBeUndefined();
    expect(again.committed).toEqual([]);
  });
});

describe('persisted', () => {
  test('refuses receipts out of order, twice, or never handed out', () => {
    const group = new TestGroup(conf(1));
    const leader = group.elect(1);
    const take = () => {
      leader.core.propose([bytes('x')]);
      return leader.core.ready().persist!;
    };
    const [first, second] = [take(), take()];
    expect(() => leader.core.persisted(second.token)).toThrow(RaftFatal);
    leader.log.append(first.entries);
    leader.core.persisted(first.token);
    expect(() => leader.core.persisted(first.token)).toThrow(RaftFatal);
    expect(() => leader.core.persisted({ ...second.token, seq: 99 })).toThrow(RaftFatal);
  });

  test('a candidate counts its own vote only when it is durable', () => {
    const node = new TestNode(1, conf(1), { preVote: false });
    node.core.campaign();
    const ready = node.core.ready();
    expect(ready.persist?.hard).toEqual({ term: 1, vote: 1, commit: 0 });
    expect(node.core.role).toBe('candidate');
    node.core.persisted(ready.persist!.token);
    expect(node.core.role).toBe('leader');
  });

  test('a receipt of an older term does not make a replaced entry durable', () => {
    // Entry 1 of term 1 is being written when a leader of term 2 replaces it and, in term 3, a
    // leader puts an entry of term 1 back: the first receipt must not vouch for it.
    const node = new TestNode(3, conf(1, 2, 3));
    const append = (from: number, term: number, entryTerm: number) => {
      const message = newMessage('MsgApp', from, 3, term);
      message.entries = [{ term: entryTerm, index: 1, type: 0, data: bytes(`${entryTerm}`) }];
      node.core.step(message);
      return node.core.ready().persist!;
    };
    const first = append(1, 1, 1);
    append(2, 2, 2);
    append(1, 3, 1);
    node.core.persisted(first.token);
    expect(node.core.stableIndex).toBe(0);
  });

  test('the last of several receipts vouches for entries whose own receipt was too old', () => {
    const node = new TestNode(2, conf(1, 2, 3));
    const message = newMessage('MsgApp', 1, 2, 1);
    message.entries = [{ term: 1, index: 1, type: 0, data: bytes('a') }];
    node.core.step(message);
    const first = node.core.ready().persist!;
    node.core.step(newMessage('MsgHeartbeat', 3, 2, 2));
    const second = node.core.ready().persist!;
    expect(second.entries).toEqual([]);
    node.log.append(first.entries);
    node.core.persisted(first.token);
    expect(node.core.stableIndex).toBe(0);
    node.core.persisted(second.token);
    expect(node.core.stableIndex).toBe(1);
  });
});

describe('broken invariants', () => {
  test('a commit beyond the end of the log is told as a lost log', () => {
    const node = new TestNode(2, conf(1, 2, 3));
    const heartbeat = newMessage('MsgHeartbeat', 1, 2, 1);
    heartbeat.commit = 7;
    expect(() => node.core.step(heartbeat)).toThrow(/log lost.*7.*ends at 0/s);
  });

  test('a stored commit index beyond the stored log is told as a lost log', () => {
    const log = new MemoryLog({ conf: conf(1), hard: { term: 1, vote: 1, commit: 5 } });
    expect(() => new RaftCore(testConfig(1, log))).toThrow(/log lost/);
  });

  test('a second leader in one term stops the process', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const leader = group.elect(1);
    expect(() => leader.core.step(newMessage('MsgApp', 2, 1, 1))).toThrow(/two leaders in term 1/);
  });

  test('an append before the commit index is answered without a look, whatever it holds', () => {
    const group = new TestGroup(conf(1, 2, 3));
    group.elect(1);
    const message = newMessage('MsgApp', 3, 2, 9, 0, 0);
    message.entries = [{ term: 9, index: 1, type: 0, data: bytes('x') }];
    const { core } = group.node(2);
    expect(core.step(message)).toBe('ok');
    expect(core.status()).toMatchObject({ lastIndex: 1, hard: { term: 9, commit: 1 } });
    expect(core.ready().msgsAfterPersist).toMatchObject([{ type: 'MsgAppResp', index: 1 }]);
  });

  test('applying ahead of the commit index stops the process', () => {
    const group = new TestGroup(conf(1));
    const { core } = group.elect(1);
    expect(() => core.appliedTo(99, 0)).toThrow(/applied 99/);
  });

  test('options that cannot work are refused', () => {
    const start = (changes: object) => new RaftCore(testConfig(1, new MemoryLog(), changes));
    expect(() => start({ electionTick: 1 })).toThrow(/electionTick/);
    expect(() => start({ maxInflightMsgs: 0 })).toThrow(/maxInflightMsgs/);
    expect(() => start({ readOnlyLeaseBased: true, checkQuorum: false })).toThrow(/lease/);
  });
});

describe('step', () => {
  test('tells what it did with a message', () => {
    const group = new TestGroup(conf(1, 2, 3));
    const { core } = group.elect(1);
    expect(core.step(newMessage('MsgHeartbeatResp', 2, 1, 1))).toBe('ok');
    expect(core.step(newMessage('MsgHeartbeatResp', 2, 1, 0))).toBe('ignored');
    expect(core.step(newMessage('MsgHeartbeatResp', 2, 9, 1))).toBe('ignored');
    expect(core.step(newMessage('MsgHeartbeatResp', 7, 1, 1))).toBe('peerNotFound');
    expect(core.step(newMessage('MsgAppResp', 1, 1, 1))).toBe('localMsg');
  });
});

describe('production options', () => {
  test('fix what decides safety', () => {
    const options = { id: 1, storage: new MemoryLog(), applied: 0, rng: rng(1) };
    const config = productionConfig({ ...options, electionTick: 20 });
    expect(config).toMatchObject({
      preVote: true,
      checkQuorum: true,
      stepDownOnRemoval: true,
      readOnlyLeaseBased: false,
      applyUnstable: false,
      disableConfChangeValidation: false,
      electionTick: 20,
      heartbeatTick: 1,
    });
    expect(() => new RaftCore(config)).not.toThrow();
  });
});
