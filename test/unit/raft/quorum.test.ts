import { describe, expect, test } from 'vitest';
import {
  Ballot,
  jointCommitted,
  jointVote,
  majorityCommitted,
  majorityVote,
} from '../../../src/raft/quorum.ts';

const acks = (indexes: Record<number, number>) => ({ acked: (id: number) => indexes[id] ?? 0 });

describe('committed index', () => {
  test('is the highest index that more than half have', () => {
    expect(majorityCommitted([1, 2, 3], acks({ 1: 9, 2: 5, 3: 7 }))).toBe(7);
    expect(majorityCommitted([1, 2, 3, 4], acks({ 1: 9, 2: 5, 3: 7 }))).toBe(5);
    expect(majorityCommitted([1, 2], acks({ 1: 9 }))).toBe(0);
    expect(majorityCommitted([4], acks({ 4: 3 }))).toBe(3);
  });

  test('of a joint quorum is what both halves have; an empty half has everything', () => {
    const indexes = acks({ 1: 9, 2: 5, 3: 7, 4: 1 });
    expect(jointCommitted([1, 2, 3], [3, 4], indexes)).toBe(1);
    expect(jointCommitted([1, 2, 3], [], indexes)).toBe(7);
    expect(jointCommitted([], [], indexes)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('vote', () => {
  const votes = (yes: number[], no: number[]) => ({
    voteOf: (id: number) => (yes.includes(id) ? true : no.includes(id) ? false : undefined),
  });

  test('is lost as soon as it cannot be won', () => {
    expect(majorityVote([1, 2, 3, 4], votes([1], [2]))).toBe('pending');
    expect(majorityVote([1, 2, 3, 4], votes([1], [2, 3]))).toBe('lost');
    expect(majorityVote([1, 2, 3, 4], votes([1, 4, 3], [2]))).toBe('won');
  });

  test('of a joint quorum is won in both halves and lost in either', () => {
    expect(jointVote([1, 2], [3], votes([1, 2], []))).toBe('pending');
    expect(jointVote([1, 2], [3], votes([1, 2], [3]))).toBe('lost');
    expect(jointVote([1, 2], [3], votes([1], [3]))).toBe('lost');
    expect(jointVote([1, 2], [3], votes([1, 2, 3], []))).toBe('won');
  });

  test('counts the first vote of a replica and forgets all at the next election', () => {
    const ballot = new Ballot();
    ballot.record(1, false);
    ballot.record(1, true);
    ballot.record(2, true);
    expect([1, 2, 3].map(id => ballot.voteOf(id))).toEqual([false, true, undefined]);
    ballot.clear();
    expect(ballot.voteOf(1)).toBeUndefined();
  });
});
