import { describe, expect, test } from 'vitest';
import { RaftFatal } from '../../../src/raft/fatal.ts';
import { MemoryLog } from '../../../src/raft/memory-log.ts';
import { countWithin, type Entry, entryBytes } from '../../../src/raft/message.ts';
import { bytes, conf } from './group.ts';

function entries(from: number, to: number, term = 1): Entry[] {
  const count = to - from + 1;
  return Array.from({ length: count }, (_, at) => {
    return { term, index: from + at, type: 0, data: bytes(`${from + at}`) };
  });
}

function indexes(log: MemoryLog, lo = log.firstIndex(), hi = log.lastIndex() + 1): number[] {
  const range = log.entries(lo, hi, Number.POSITIVE_INFINITY);
  if (range === 'compacted') throw new Error('compacted');
  return range.map(entry => entry.index);
}

describe('MemoryLog', () => {
  test('starts empty at index 1', () => {
    const log = new MemoryLog();
    expect([log.firstIndex(), log.lastIndex()]).toEqual([1, 0]);
    expect(log.term(0)).toBe(0);
    expect(log.term(1)).toBe('unavailable');
    expect(log.snapshotMeta()).toBe('unavailable');
  });

  test('an append replaces everything from its first index', () => {
    const log = new MemoryLog();
    log.append(entries(1, 5));
    log.append(entries(3, 3, 2));
    expect(indexes(log)).toEqual([1, 2, 3]);
    expect(log.term(3)).toBe(2);
    expect(log.term(4)).toBe('unavailable');
  });

  test('refuses a gap', () => {
    const log = new MemoryLog();
    log.append(entries(1, 2));
    expect(() => log.append(entries(4, 4))).toThrow(RaftFatal);
  });

  test('keeps the term of the last compacted entry and nothing before', () => {
    const log = new MemoryLog({ entries: entries(1, 10) });
    log.compact(4);
    expect([log.firstIndex(), log.lastIndex()]).toEqual([5, 10]);
    expect([log.term(3), log.term(4), log.term(5)]).toEqual(['compacted', 1, 1]);
    expect(log.entries(4, 6, 1000)).toBe('compacted');
    expect(indexes(log)).toEqual([5, 6, 7, 8, 9, 10]);
    log.compact(9);
    expect(indexes(log)).toEqual([10]);
    log.compact(3);
    expect(log.firstIndex()).toBe(10);
    expect(() => log.compact(11)).toThrow(RaftFatal);
  });

  test('appends after compaction land where they belong, and skip what is compacted', () => {
    const log = new MemoryLog({ entries: entries(1, 6) });
    log.compact(2);
    log.append(entries(5, 7, 2));
    expect(indexes(log)).toEqual([3, 4, 5, 6, 7]);
    expect([3, 4, 5, 6, 7].map(index => log.term(index))).toEqual([1, 1, 2, 2, 2]);
    log.append(entries(1, 4, 1));
    expect(indexes(log)).toEqual([3, 4]);
    log.append(entries(1, 2, 1));
    expect(indexes(log)).toEqual([3, 4]);
  });

  test('gives at least one entry and otherwise what fits', () => {
    const log = new MemoryLog({ entries: entries(1, 5) });
    const size = entryBytes(entries(1, 1)[0]!);
    const count = (max: number) => log.entries(2, 6, max).length;
    expect([count(0), count(size * 2), count(size * 2 + 1), count(1e9)]).toEqual([1, 2, 2, 4]);
    expect(countWithin([], 10)).toBe(0);
  });

  test('does not show later appends in a range that was read before', () => {
    const log = new MemoryLog({ entries: entries(1, 3) });
    const range = log.entries(1, 4, 1e9);
    log.append(entries(2, 2, 9));
    expect(range).toHaveLength(3);
  });

  test('starts over from a snapshot and ignores an older one', () => {
    const log = new MemoryLog({ entries: entries(1, 3), conf: conf(1) });
    log.applySnapshot({ index: 8, term: 3, conf: conf(1, 2) });
    expect([log.firstIndex(), log.lastIndex(), log.term(8)]).toEqual([9, 8, 3]);
    expect(log.initial().conf).toEqual(conf(1, 2));
    log.applySnapshot({ index: 5, term: 2, conf: conf(1) });
    expect(log.lastIndex()).toBe(8);
    log.append(entries(9, 9, 3));
    expect(indexes(log)).toEqual([9]);
  });
});
