import { expect, test } from 'vitest';
import { checkHistory } from '../../../src/chaos/checks.ts';
import type { History } from '../../../src/chaos/history.ts';
import { recoveries } from '../../../src/chaos/recovery.ts';
import { bounds, killed, line, past, task } from './past.ts';

const failing = (changes: Partial<History>): string[] =>
  checkHistory(past(changes), bounds)
    .filter(check => !check.ok)
    .map(check => [check.name, ...check.cases].join(': '));

test('a run in which everything held is green in every check', () => {
  const checks = checkHistory(past(), bounds);
  expect(checks.map(check => check.name)).toEqual([
    ...['taken', 'kept', 'once', 'alone', 'fenced', 'same', 'recovered', 'stood', 'clean'],
  ]);
  expect(checks.filter(check => !check.ok)).toEqual([]);
});

test('a submit that was never acknowledged is told', () => {
  const [first, second] = past().submits;
  const refused = { ...second!, tries: 9, ackedMs: undefined };
  expect(failing({ submits: [first!, refused] })[0]).toBe(
    'taken: task 2 was tried 9 times since 2100 ms, in vain',
  );
});

test('an acknowledged task that is not there is lost', () => {
  const tasks = new Map([
    ['task1', undefined],
    ['task2', task(2, 'lost', 'succeeded')],
  ]);
  expect(failing({ tasks })).toEqual(['kept: task 1 (task1) was acknowledged and is not there']);
});

test('an acknowledged task that never settles is not kept', () => {
  const tasks = new Map(past().tasks).set('task1', { ...task(1, 'lost'), state: 'waiting' });
  expect(failing({ tasks })).toEqual(['kept: task 1 (task1) is still waiting']);
});

test('one key that became two tasks is not kept', () => {
  const [first, second] = past().submits;
  expect(failing({ submits: [{ ...first!, otherId: 'task9' }, second!] })).toEqual([
    'kept: task 1 became two: task1 and task9',
  ]);
});

test('a run that acknowledged nothing shows nothing', () => {
  const found = failing({ submits: [], tasks: new Map(), lines: [] });
  expect(found).toEqual(expect.arrayContaining(['taken', 'kept', 'once', 'alone', 'fenced']));
});

test('a second outcome beside the one that settled the task is one too many', () => {
  const tasks = new Map(past().tasks).set('task2', task(2, 'succeeded', 'succeeded'));
  expect(failing({ tasks })).toEqual(['once: task task2 has further outcomes: succeeded']);
});

test('a task that failed although its program cannot is a broken promise', () => {
  const tasks = new Map(past().tasks).set('task1', { ...task(1, 'failed'), state: 'failed' });
  expect(failing({ tasks })).toEqual(['once: task task1 settled as failed']);
});

test('success of an attempt that never came to its end is made up', () => {
  const lines = past().lines.filter(({ what, number }) => !(what === 'end' && number === 1));
  expect(failing({ lines })).toEqual([
    'once: task task1 is said to have succeeded in attempt 1, which did not end',
  ]);
});

test.each(['aborted', 'failed'])(
  'a task that %s is kept only where it was lost too often',
  state => {
    const ended = { ...task(1, 'lost', 'lost'), state };
    const tasks = (lost: number, supervisorsLost = 0) =>
      new Map(past().tasks).set('task1', { ...ended, lost, supervisorsLost });
    const lines = [...past().lines, line('start', 1, 2, 101)];
    expect(failing({ tasks: tasks(4, 1), lines })).toEqual([
      `once: task task1 settled as ${state}`,
    ]);
    expect(failing({ tasks: tasks(5), lines })).toEqual([]);
    expect(failing({ tasks: tasks(2, 2), lines })).toEqual([]);
  },
);

test('an attempt that lives when the next one starts overlaps it', () => {
  const lines = [...past().lines, line('alive', 2, 1, 102.1)];
  expect(failing({ lines })).toEqual([
    'alone: task 2: attempt 1 on n1 lived until 102.1 s, attempt 2 on n2 since 102 s ' +
      '(100 ms together)',
  ]);
});

test('an overlap with an attempt that is not the one before is found too', () => {
  const lines = [
    ...past().lines,
    line('alive', 2, 1, 103),
    line('start', 2, 3, 102.8, 'n3'),
    line('alive', 2, 3, 102.9, 'n3'),
  ];
  const tasks = new Map(past().tasks).set('task2', task(2, 'lost', 'lost', 'succeeded'));
  const found = failing({ lines, tasks });
  expect(found.find(text => text.startsWith('alone'))).toContain('attempt 3 on n3 since 102.8 s');
});

test('a fence that was given twice, or that nobody recorded, is told', () => {
  const twice = [...past().lines, line('start', 1, 1, 100.1)];
  expect(failing({ lines: twice })).toEqual(['fenced: task 1: attempt 1 started 2 times']);
  const unknown = [...past().lines, line('start', 1, 7, 103)];
  expect(failing({ lines: unknown })).toEqual(['fenced: task 1: attempt 7 is not on record']);
});

test('a smaller fence that starts later is told', () => {
  const lines = past().lines.map(one =>
    one.number === 2 ? { ...one, fence: one.fence === 1 ? 2 : 1 } : one,
  );
  expect(failing({ lines }).join()).toContain('fenced: task 2: attempt 2 started before attempt 1');
});

test('one task that ran under two IDs is told', () => {
  const stray = { ...line('start', 1, 1, 105), id: 'task9' };
  const found = failing({ lines: [...past().lines, stray] });
  expect(found).toEqual(['fenced: task 1 ran under 2 IDs: task1, task9']);
});

test('replicas that differ, or were never compared, are not the same', () => {
  const divergences = [{ shard: 2, applied: 17, nodes: ['n1', 'n3'] as const }];
  expect(failing({ comparison: { compared: 9, divergences, behind: [] } })).toEqual([
    'same: shard 2 differs between n1 and n3 at entry 17',
  ]);
  expect(failing({ comparison: { compared: 9, divergences: [], behind: ['n2 shard 1'] } })).toEqual(
    ['same: n2 shard 1 did not come level with the others'],
  );
  expect(failing({ comparison: { compared: 0, divergences: [], behind: [] } })).toEqual(['same']);
});

test('recovery is measured at the shards that lost their leader, and by who takes part', () => {
  expect(recoveries(past())).toEqual([
    { fault: 1, since: 'begin', ackMs: 110, ledMs: 400 },
    { fault: 1, since: 'end', ackMs: 110, ledMs: 100 },
  ]);
});

test('an acknowledgement of another shard is no recovery, nor is a leader that is away', () => {
  const submits = past().submits.map(submit => ({ ...submit, shard: 2 }));
  const leaders = [{ atMs: 1_300, leaders: [1, 2] }];
  const [first] = recoveries(past({ submits, leaders }));
  expect(first).toEqual({ fault: 1, since: 'begin', ackMs: undefined, ledMs: undefined });
});

test('without a majority recovery counts from the end of the fault only', () => {
  const [only, ...others] = recoveries(past({ faults: [{ ...killed, majorityLeft: false }] }));
  expect([only?.since, others]).toEqual(['end', []]);
});

test('recovery counts anew once other faults have given a majority back', () => {
  const other = (number: number, fromMs: number, toMs: number, majorityLeft: boolean) => ({
    ...killed,
    ...{ number, nodes: [number], away: [number], fromMs, toMs, majorityLeft, ledBefore: [] },
  });
  // The first ends at 2 s; from 2.1 s the second and third take a majority until 6 s.
  const faults = [killed, other(2, 1_500, 6_000, true), other(3, 2_100, 9_000, false)];
  const leaders = [
    { atMs: 2_050, leaders: [2, 0] },
    { atMs: 6_500, leaders: [1, 1] },
  ];
  const ofFirst = recoveries(past({ faults, leaders })).filter(({ fault }) => fault === 1);
  expect(ofFirst.find(({ since }) => since === 'end')).toMatchObject({ ledMs: 500 });
  // What stays without a leader when they are back is told as it was.
  const late = [{ atMs: 8_000, leaders: [1, 1] }];
  const [, slow] = recoveries(past({ faults, leaders: late })).filter(({ fault }) => fault === 1);
  expect(slow).toMatchObject({ since: 'end', ledMs: 2_000 });
});

test('a recovery that takes too long, or does not come, is told', () => {
  const late = past({ leaders: [{ atMs: 3_100, leaders: [2, 2] }] });
  const told = checkHistory(late, bounds).find(check => check.name === 'recovered');
  expect(told?.cases).toEqual([
    'fault 1 (kill): every shard was led after 2100 ms since its begin',
    'fault 1 (kill): every shard was led after 1100 ms since its end',
  ]);
  expect(failing({ leaders: [] }).join()).toContain('every shard was led never since its begin');
});

test('a fault that could not be done is told, and is no proof', () => {
  const failed = { ...killed, failed: 'no such process' };
  expect(failing({ faults: [failed] })).toEqual([
    'recovered: fault 1 (kill) was not done: no such process',
  ]);
});

test('a node that ended by itself and a process that was left are told', () => {
  const unexpectedEnds = [{ node: 'n2', atMs: 1_234, how: 'exit code 1; assertion' }];
  expect(failing({ unexpectedEnds })).toEqual([
    'stood: n2 ended by itself after 1234 ms: exit code 1; assertion',
  ]);
  expect(failing({ leftovers: ['4711 sleep 60'] })).toEqual(['clean: 4711 sleep 60']);
});

test('of a node whose attempts leave no line it is not held that they ended', () => {
  const lines = past().lines.filter(one => one.node !== 'n2' || one.what === 'start');
  expect(failing({ lines })[0]).toMatch(/^once: .*which did not end/);
  const tasks = new Map(past().tasks);
  const { attempts } = tasks.get('task2')!;
  expect(failing({ lines, unseen: [attempts.at(-1)!.nodeName] })).toEqual([]);
});

test('a cluster that was there before has to be there again', () => {
  const last = checkHistory(past({ attached: true, leftovers: ['n2 is down'] }), bounds).at(-1);
  expect(last).toMatchObject({
    ...{ ok: false, cases: ['n2 is down'] },
    promise: 'Every node runs that ran before, and nothing else was left behind',
  });
});
