import { describe, expect, test } from 'vitest';
import { RaftFatal } from '../../../src/raft/fatal.ts';
import { MemoryLog } from '../../../src/raft/memory-log.ts';
import type { Entry } from '../../../src/raft/message.ts';
import { RaftLog } from '../../../src/raft/raft-log.ts';
import { bytes, conf } from './group.ts';

/** Entries from index `from`, one per term named. */
function entries(from: number, ...terms: number[]): Entry[] {
  return terms.map((term, at) => ({ term, index: from + at, type: 0, data: bytes('abc') }));
}

/** A log whose first `stored` entries are durable. */
function logOf(terms: readonly number[], stored: number, maxApplyBytes = 1e9) {
  const all = entries(1, ...terms);
  const reader = new MemoryLog({ entries: all.slice(0, stored) });
  const log = new RaftLog(reader, maxApplyBytes);
  log.append(all.slice(stored));
  return { log, reader };
}

const terms = (log: RaftLog) =>
  Array.from({ length: log.lastIndex() }, (_, at) => log.term(at + 1));

describe('RaftLog', () => {
  test('reads across the border between stored and not yet durable entries', () => {
    const { log } = logOf([1, 1, 2, 2, 3], 3);
    const range = log.slice(2, 6, 1e9);
    expect(typeof range !== 'string' && range.map(entry => entry.index)).toEqual([2, 3, 4, 5]);
    const one = log.slice(2, 6, 1);
    expect(typeof one !== 'string' && one.map(entry => entry.index)).toEqual([2]);
    expect(log.stableIndex()).toBe(3);
  });

  test('takes an append only after an entry that matches', () => {
    const { log } = logOf([1, 1, 2], 3);
    expect(log.appendAfter(3, 1, entries(4, 3), 0)).toBeUndefined();
    expect(log.appendAfter(5, 2, [], 0)).toBeUndefined();
    expect(log.appendAfter(3, 2, entries(4, 3), 0)).toBe(4);
    expect(terms(log)).toEqual([1, 1, 2, 3]);
  });

  test('an old append does not shorten the log', () => {
    const { log } = logOf([1, 1, 2, 2], 2);
    expect(log.appendAfter(0, 0, entries(1, 1, 1), 0)).toBe(2);
    expect(terms(log)).toEqual([1, 1, 2, 2]);
  });

  test('replaces the tail from the first entry that conflicts, also stored ones', () => {
    const { log } = logOf([1, 1, 1, 1], 3);
    expect(log.appendAfter(1, 1, entries(2, 1, 2), 0)).toBe(3);
    expect(terms(log)).toEqual([1, 1, 2]);
    expect(log.stableIndex()).toBe(2);
    expect(log.unstable.newEntries().map(entry => entry.index)).toEqual([3]);
  });

  test('commits no further than the append proves', () => {
    const { log } = logOf([1, 1, 1, 1], 4);
    log.appendAfter(1, 1, entries(2, 1), 4);
    expect(log.committed).toBe(2);
  });

  test('never replaces a committed entry', () => {
    const { log } = logOf([1, 1, 1], 3);
    log.commitTo(2);
    expect(() => log.appendAfter(1, 1, entries(2, 2), 0)).toThrow(/conflicts with a committed/);
    expect(() => log.append(entries(2, 3))).toThrow(RaftFatal);
  });

  test('commits by counting only entries of the leader own term', () => {
    const { log } = logOf([1, 1, 2], 3);
    expect(log.commitOwnTerm(2, 2)).toBe(false);
    expect(log.commitOwnTerm(3, 2)).toBe(true);
    expect(log.commitOwnTerm(3, 2)).toBe(false);
    expect(log.committed).toBe(3);
  });

  test('a log is up to date by last term first, by length second', () => {
    const { log } = logOf([1, 2, 2], 3);
    expect(log.isUpToDate(2, 3)).toBe(true);
    expect(log.isUpToDate(9, 1)).toBe(false);
    expect(log.isUpToDate(2, 2)).toBe(false);
    expect(log.isUpToDate(3, 2)).toBe(true);
  });

  test('finds where two logs can agree by skipping whole terms', () => {
    const { log } = logOf([1, 1, 3, 3, 3, 5], 6);
    expect(log.findConflictByTerm(6, 4)).toEqual({ index: 5, term: 3 });
    expect(log.findConflictByTerm(5, 2)).toEqual({ index: 2, term: 1 });
    expect(log.findConflictByTerm(2, 0)).toEqual({ index: 0, term: 0 });
  });

  test('hands out committed entries only once they are durable here', () => {
    const { log, reader } = logOf([1, 1, 1], 1);
    log.commitTo(3);
    expect(log.takeCommitted(false).map(entry => entry.index)).toEqual([1]);
    expect(log.hasCommitted(false)).toBe(false);
    expect(log.hasCommitted(true)).toBe(true);
    reader.append(log.unstable.newEntries());
    log.unstable.acceptInProgress();
    log.unstable.stableTo(3, 1);
    expect(log.takeCommitted(false).map(entry => entry.index)).toEqual([2, 3]);
  });

  test('the apply quota holds back until entries are applied', () => {
    const { log } = logOf([1, 1, 1, 1], 4, 40);
    log.commitTo(4);
    expect(log.takeCommitted(false).map(entry => entry.index)).toEqual([1, 2]);
    expect(log.hasCommitted(false)).toBe(false);
    log.appliedTo(1, 3);
    expect(log.takeCommitted(false).map(entry => entry.index)).toEqual([3]);
    log.appliedTo(3, 6);
    expect(log.takeCommitted(false).map(entry => entry.index)).toEqual([4]);
  });

  test('entries being fetched stop applying until they are there', () => {
    const reader = new MemoryLog({ entries: entries(1, 1, 1) });
    let fetching = true;
    const slow = Object.assign(Object.create(reader) as MemoryLog, {
      firstIndex: () => 1,
      lastIndex: () => 2,
      term: (index: number) => (index === 0 ? 0 : 1),
      entries: () => (fetching ? 'fetching' : entries(1, 1, 1)),
    });
    const log = new RaftLog(slow, 1e9);
    log.commitTo(2);
    expect(log.takeCommitted(false)).toEqual([]);
    expect(log.hasCommitted(false)).toBe(false);
    expect(log.hasUnappliedConf()).toBe(true);
    fetching = false;
    log.resumeApplying();
    expect(log.takeCommitted(false)).toHaveLength(2);
  });

  test('a received snapshot replaces the log and holds back applying until it is stored', () => {
    const { log } = logOf([1, 1], 2);
    log.restore({ index: 9, term: 4, conf: conf(1) });
    expect([log.firstIndex(), log.lastIndex(), log.committed]).toEqual([10, 9, 9]);
    expect([log.term(9), log.term(2)]).toEqual([4, 'compacted']);
    log.append(entries(10, 4));
    log.commitTo(10);
    expect(log.hasCommitted(true)).toBe(false);
    log.snapshotStored(9);
    log.appliedTo(9, 0);
    expect(log.takeCommitted(true).map(entry => entry.index)).toEqual([10]);
  });
});

describe('what is not durable yet', () => {
  test('a receipt for an entry that was replaced meanwhile says nothing', () => {
    const { log } = logOf([1, 1, 1], 0);
    log.unstable.acceptInProgress();
    log.append(entries(2, 2));
    log.unstable.stableTo(3, 1);
    log.unstable.stableTo(2, 1);
    expect(log.stableIndex()).toBe(0);
    log.unstable.stableTo(1, 1);
    expect(log.stableIndex()).toBe(1);
    expect(log.unstable.newEntries().map(entry => [entry.index, entry.term])).toEqual([[2, 2]]);
  });
});
