import { describe, expect, test } from 'vitest';
import { Colours } from '../../../src/dashboard/colours.ts';
import { hashOfList, hashOfTask, placeOf } from '../../../src/dashboard/location.ts';
import { ApiError, noAnswer, problemOfAnswer, wordsOf } from '../../../src/dashboard/problem.ts';
import { shardWords } from '../../../src/dashboard/shard-words.ts';
import {
  attemptWords,
  isSettledState,
  missingWords,
  outcomeWords,
  reasonWords,
  staleWords,
  titleOf,
} from '../../../src/dashboard/task-words.ts';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { errorTable } from '../../../src/model/errors.ts';
import { isSettled, taskStates, waitingReasons } from '../../../src/model/task.ts';
import type { ShardSummary } from '../../../src/ports/node-api.ts';

describe('an address', () => {
  test.each([
    { state: '', name: '' },
    { state: 'failed', name: '' },
    { state: '', name: 'ä&b=#' },
  ])('brings back the listing with %j', filters => {
    expect(placeOf(hashOfList(filters))).toEqual({ kind: 'list', filters });
  });

  test('brings back a task, and nothing that is none', () => {
    expect(placeOf(hashOfTask('06gzq2q8x6xv03552h9h'))).toMatchObject({ kind: 'task' });
    expect(placeOf('#/tasks/last')).toEqual({ kind: 'task', id: 'last' });
    for (const hash of ['', '#', '#/tasks/../nodes', '#/tasks/<b>', '#/tasks/', 'x']) {
      expect(placeOf(hash).kind).toBe('list');
    }
  });
});

describe('a problem', () => {
  test('of the node keeps its code; anything else is told by its status', () => {
    const body = JSON.stringify({ code: 'forbidden', detail: 'No.', suggestion: 'Ask.' });
    expect(problemOfAnswer(403, body)).toMatchObject({ code: 'forbidden', suggestion: 'Ask.' });
    expect(wordsOf(problemOfAnswer(403, body))).toBe('No. Ask.');
    for (const text of ['<html>', '', 'null', '[]', '{"code":7}']) {
      expect(problemOfAnswer(502, text)).toMatchObject({ code: 'badAnswer' });
    }
    expect(wordsOf(problemOfAnswer(502, ''))).toContain('502');
  });

  test('has words for every code, a lost node and a bug', () => {
    for (const [code, { title, suggestion }] of Object.entries(errorTable)) {
      expect(wordsOf(new ApiError(code, title, suggestion)).length).toBeGreaterThan(10);
    }
    expect(wordsOf(noAnswer())).toContain('does not answer');
    expect(wordsOf(new TypeError('x is not a function'))).toContain('x is not a function');
  });
});

const shard: ShardSummary = {
  shard: 7,
  term: 3,
  leader: 'n1',
  voters: ['n1', 'n2', 'n3'],
  learners: [],
  firstIndex: 1,
  commit: 9,
  applied: 9,
  waiting: 1_200,
  running: 2,
  settled: 3,
  state: 'ok',
};

test('a shard is told with its leader, its voters and its tasks', () => {
  expect(shardWords(shard)).toBe(
    'Shard 7, led by n1: replicated as it should be. Voters n1, n2, n3; ' +
      '1\u2009200 waiting, 2 running, 3 settled.',
  );
});

test('a shard without a leader says who is missing and counts nothing', () => {
  const { leader: _leader, ...rest } = shard;
  const words = shardWords({
    ...rest,
    voters: ['n1', 'n2!'],
    learners: ['n3!'],
    state: 'noLeader',
  });
  expect(words).toContain('not led: no leader');
  expect(words).toContain('n2 (not connected), learners n3 (not connected)');
  expect(words).toContain('tasks not known');
});

test('a node keeps its colour, whatever order the nodes come in', () => {
  const colours = new Colours();
  colours.learn(['c', 'a', 'b']);
  const before = ['a', 'b', 'c'].map(name => colours.classOf(name));
  expect(new Set(before).size).toBe(3);
  colours.learn(['b', 'c', 'a']);
  expect(['a', 'b', 'c'].map(name => colours.classOf(name))).toEqual(before);
  expect(colours.classOf('stranger')).toBe('');
});

describe('a task', () => {
  test('is called by its name, else by what it runs, else by its ID', () => {
    const id = '06gzq2q8x6xv03552h9h' as Parameters<typeof titleOf>[0]['id'];
    expect(titleOf({ id, name: 'n\u0007', command: 'c' })).toBe('n\\x07');
    expect(titleOf({ id, name: '', command: 'sleep 1' })).toBe('sleep 1');
    expect(titleOf({ id, name: '', command: '' })).toBe('03552h9h');
  });

  test('is settled in the same states as the model says', () => {
    expect(taskStates.filter(isSettledState)).toEqual(taskStates.filter(isSettled));
  });

  test('waits for a reason that has words, whichever of the closed set it is', () => {
    for (const reason of waitingReasons) expect(reasonWords(reason)).not.toBe(reason);
    expect(reasonWords('some sentence')).toBe('some sentence');
  });

  test('tells how an attempt ended', () => {
    expect(outcomeWords({ ...systemOutcome('failed', 1, ''), exitCode: 3 })).toBe(
      'failed, exit code 3',
    );
    expect(outcomeWords({ ...systemOutcome('cancelled', 1, ''), signal: 'SIGTERM' })).toBe(
      'cancelled, SIGTERM',
    );
    expect(outcomeWords({ ...systemOutcome('succeeded', 1, ''), exitCode: 0 })).toBe('succeeded');
  });

  test('tells how long an attempt waited, started and ran', () => {
    const attempt = { attempt: 1, run: 1, node: 'x', nodeName: 'n1', assignedAtMs: 1_020 };
    expect(attemptWords(attempt, 1_000, 1_120)).toBe('waited 20 ms, not started for 100 ms');
    const runs = { ...attempt, startedAtMs: 1_050 };
    expect(attemptWords(runs, 1_000, 3_050)).toBe(
      'waited 20 ms, started after 30 ms, runs for 2.0 s',
    );
    const ended = { ...runs, endedAtMs: 1_150 };
    expect(attemptWords(ended, 1_000, 9_000)).toBe('waited 20 ms, started after 30 ms, ran 100 ms');
    const lost = { ...attempt, outcome: systemOutcome('lost', 5_000, 'gone') };
    expect(attemptWords(lost, 1_000, 9_000)).toBe('waited 20 ms, was never seen to start');
  });

  test('may be missing from a listing, which says so', () => {
    expect(missingWords([])).toBe('');
    expect(missingWords([3])).toContain('1 shard (3) did not answer');
    expect(missingWords([1, 2, 3, 4, 5, 6])).toContain('6 shards did not answer');
  });

  test('may be old in a listing, which says so', () => {
    expect(staleWords([])).toBe('');
    expect(staleWords([3])).toContain('No majority of 1 shard (3)');
    expect(staleWords([1, 2, 3, 4, 5, 6])).toContain('6 shards');
  });
});
