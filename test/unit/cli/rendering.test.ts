import { describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import { ago, span } from '../../../cli/output/age.ts';
import { renderHealth, renderShards } from '../../../cli/output/cluster.ts';
import { renderDeadLetters } from '../../../cli/output/dead-letters.ts';
import { renderFailure } from '../../../cli/output/failure.ts';
import { loadPercent } from '../../../cli/output/nodes.ts';
import { describeOutcome, waitExit } from '../../../cli/output/outcome.ts';
import { plainScreen, type Screen } from '../../../cli/output/screen.ts';
import { renderSubmitted } from '../../../cli/output/submitted.ts';
import { renderTable } from '../../../cli/output/table.ts';
import { renderTask, renderTaskLine } from '../../../cli/output/task.ts';
import { renderTaskList } from '../../../cli/output/task-list.ts';
import { block, cut, oneLine } from '../../../cli/output/text.ts';
import { type Outcome, systemOutcome } from '../../../src/model/attempt.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import { noResources } from '../../../src/model/resources.ts';
import type { TaskSummary, TaskView } from '../../../src/model/task.ts';

const nowMs = 1_700_000_000_000;
const screen = plainScreen(nowMs);
const terminal: Screen = { tty: true, color: true, columns: 60, nowMs };

const outcome = (parts: Partial<Outcome>): Outcome => ({
  ...systemOutcome('failed', nowMs - 1_000, ''),
  ...parts,
});

const task = (parts: Partial<TaskView>): TaskView => ({
  id: '06gzpmwrjc0e3w2zhjxg' as TaskId,
  tenant: 'default',
  owner: 'ada',
  name: 'etl',
  state: 'running',
  attempts: [],
  runs: 1,
  attemptsMax: 3,
  lost: 0,
  tier: 'regular',
  command: './etl.sh --all',
  submittedAtMs: nowMs - 192_000,
  shard: 5,
  stale: false,
  ...parts,
});

describe('times', () => {
  test.each([
    [0, '0ms'],
    [850, '850ms'],
    [1_250, '1.2s'],
    [9_999, '9.9s'],
    [59_999, '59s'],
    [192_000, '3m12s'],
    [180_000, '3m'],
    [7_500_000, '2h5m'],
    [273_600_000, '3d4h'],
  ])('%i ms are %s', (ms, text) => {
    expect(span(ms)).toBe(text);
  });

  test('an instant in the future is told as such, not as a negative age', () => {
    expect(ago(nowMs + 5_000, nowMs)).toBe('in 5.0s');
    expect(ago(nowMs + 400, nowMs)).toBe('now');
    expect(ago(nowMs - 60_000, nowMs)).toBe('1m ago');
  });
});

describe('text from outside', () => {
  test('a name cannot move the cursor, break a line or hide what follows', () => {
    expect(oneLine('a\u001b[2Jb')).toBe('ab');
    expect(oneLine('a\u001b]0;title\u0007b')).toBe('ab');
    expect(oneLine('a\nb\r\nc')).toBe('a ⏎ b ⏎ c');
    expect(oneLine('a\u0000\u009b31mb\u202ec')).toBe('a�b�c');
  });

  test('escapes in an output are kept for a pipe and removed for a terminal', () => {
    const red = '\u001b[31mred\u001b[0m\r\nnext\u0008';
    expect(block(red, screen)).toBe(red);
    expect(block(red, terminal)).toBe('red\nnext�');
  });

  test('what is cut ends with an ellipsis and is as wide as asked for', () => {
    expect(cut('abcdef', 6)).toBe('abcdef');
    expect(cut('abcdefg', 6)).toBe('abcde…');
  });
});

describe('tables', () => {
  const columns = [
    { title: 'ID', cell: (row: string[]) => row[0]! },
    { title: 'COUNT', right: true, cell: (row: string[]) => row[1]! },
    { title: 'TEXT', cell: (row: string[]) => row[2]! },
  ];

  test('columns are aligned and lines have no trailing blanks', () => {
    const rows = [
      ['a', '1', 'x'],
      ['bcd', '100', ''],
    ];
    expect(renderTable(columns, rows, screen)).toBe(
      ['ID   COUNT  TEXT', 'a        1  x', 'bcd    100'].join('\n'),
    );
  });

  test('the last column is cut to the width of a terminal only', () => {
    const rows = [['a', '1', 'y'.repeat(100)]];
    const lines = renderTable(columns, rows, { ...terminal, color: false }).split('\n');
    expect(lines[1]).toHaveLength(60);
    expect(renderTable(columns, rows, screen)).toContain('y'.repeat(100));
  });

  test('colour stands around the padded cell, so that columns stay aligned', () => {
    const painted = [{ ...columns[0]!, paint: () => 'green' as const }, columns[1]!];
    const text = renderTable(painted, [['a', '1', '']], terminal);
    expect(text).toContain('\u001b[32ma \u001b[0m');
  });
});

describe('a task', () => {
  test('its outcome is told in words with signal or exit code and message', () => {
    expect(describeOutcome(outcome({ exitCode: 2 }))).toBe('failed: exit code 2');
    expect(describeOutcome(outcome({ signal: 'SIGSEGV' }))).toBe('failed: SIGSEGV');
    expect(describeOutcome(outcome({ kind: 'timedOut', message: 'after 10m' }))).toBe(
      'over its cap: after 10m',
    );
    expect(describeOutcome(outcome({ kind: 'succeeded', exitCode: 0 }))).toBe('succeeded');
  });

  test('shows facts, attempts, the end of the output and the next step', () => {
    const ended = outcome({ exitCode: 2, tail: 'no such file\n', peakMemoryBytes: 12 * 1024 ** 2 });
    const attempt = { run: 1, node: 'n', nodeName: 'node-a', assignedAtMs: nowMs - 9_000 };
    const view = task({
      state: 'failed',
      outcome: ended,
      runs: 2,
      lost: 1,
      request: { ...noResources, cpuMilli: 500, memoryBytes: 64 * 2 ** 20, ports: 2 },
      limit: { ...noResources, cpuMilli: 2_000, memoryBytes: 64 * 2 ** 20, ports: 2 },
      settledAtMs: nowMs - 1_000,
      attempts: [
        { ...attempt, attempt: 1, startedAtMs: nowMs - 9_000, endedAtMs: nowMs - 5_000 },
        {
          ...attempt,
          attempt: 2,
          startedAtMs: nowMs - 4_000,
          endedAtMs: nowMs - 1_000,
          outcome: ended,
        },
      ],
    });
    expect(renderTask(view, screen).split('\n')).toEqual([
      '06gzpmwrjc0e3w2zhjxg  failed',
      '  name       etl',
      '  outcome    failed: exit code 2',
      '  command    ./etl.sh --all',
      '  tier       regular',
      '  needs      0.5 cpu, 64MiB memory, 2 ports; up to 2 cpu',
      '  runs       2 of 3, 1 more lost with a node',
      '  submitted  3m12s ago by ada, settled 1.0s ago',
      '  shard      5',
      '',
      '  ATTEMPT  NODE    STARTED    RAN  CPU  MEMORY  ENDED',
      '  1        node-a  9.0s ago  4.0s    -       -  runs',
      '  2        node-a  4.0s ago  3.0s  0ms   12MiB  failed: exit code 2',
      '',
      '  end of its output:',
      '    no such file',
      '',
      '  try: tsched logs 3w2zhjxg · tsched retry 3w2zhjxg',
    ]);
  });

  test('a hostile name does not reach the terminal', () => {
    const line = renderTaskLine(task({ name: 'x\u001b[1A\nfake  succeeded' }), screen);
    expect(line).toBe('3w2zhjxg  x ⏎ fake  succeeded  running');
  });

  test('the reason somebody gave for cancelling it is shown beside how its process ended', () => {
    const ended = outcome({ kind: 'cancelled', signal: 'SIGTERM' });
    const view = task({ state: 'cancelled', outcome: ended, reason: 'not wanted' });
    expect(renderTask(view, screen)).toContain('cancelled: SIGTERM (not wanted)');
  });

  test('a view that no majority confirmed says so', () => {
    expect(renderTask(task({ stale: true }), screen)).toContain('may be out of date');
  });
});

describe('the exit code of a wait', () => {
  test.each([
    [['succeeded'], 0],
    [['succeeded', 'failed'], 3],
    [['cancelled'], 4],
    [['aborted'], 4],
    [['cancelled', 'failed'], 3],
    [['failed', 'cancelled', 'running'], 5],
  ] as const)('of tasks that are %j is %i', (states, code) => {
    expect(waitExit(states.map(state => ({ state })))).toBe(code);
  });
});

describe('the cluster', () => {
  test('load is the largest share in use, and unknown without an advertisement', () => {
    const total = { ...noResources, cpuMilli: 4_000, memoryBytes: 100 };
    expect(loadPercent({ total, free: { ...total, cpuMilli: 3_000, memoryBytes: 20 } })).toBe(80);
    expect(loadPercent({ total, free: { ...total, cpuMilli: 5_000 } })).toBe(0);
    expect(loadPercent({ total })).toBeUndefined();
  });

  test('a shard without a leader stands out, nodes that are down and learners are marked', () => {
    const node = { id: 'A', name: 'node-a', state: 'up' } as never;
    const down = { id: 'B', name: 'node-b', state: 'down' } as never;
    const shard = {
      shard: 9,
      term: 3,
      voters: ['A', 'B'],
      learners: ['C-without-a-name'],
      firstIndex: 4,
      commit: 10,
      applied: 7,
      waiting: 2,
      running: 0,
      settled: 1,
      state: 'noLeader' as const,
    };
    const [, row] = renderShards([shard], [node, down], screen).split('\n');
    expect(row).toMatch(/^ +9 +3 +- +node-a,node-b!,\+t-a-name +4 +10 +3 +2\/0\/1 +NO LEADER$/);
  });

  test('health says the version of the cluster, where the node told it', () => {
    const health = {
      ...{ ok: true, nodes: 3, nodesUp: 3, nodesByState: { up: 3 }, shards: 4 },
      ...{ shardsWithoutLeader: [], shardsGrowing: 0, replication: 3, problems: [] },
    };
    const line = 'cluster ok   3 of 3 nodes up   4 shards, replication 3';
    expect(renderHealth(health, screen)).toBe(line);
    expect(renderHealth({ ...health, clusterVersion: 2 }, screen)).toBe(`${line}   version 2`);
  });

  test('health names what is wrong', () => {
    const text = renderHealth(
      {
        ok: false,
        nodes: 3,
        nodesUp: 2,
        nodesByState: { up: 2, suspected: 1 },
        shards: 64,
        shardsWithoutLeader: [1, 2],
        shardsGrowing: 1,
        replication: 3,
        problems: ['node-c is down'],
      },
      screen,
    );
    expect(text).toMatch(
      /^cluster NOT OK {3}2 of 3 nodes up, 1 suspected .* 2 shards without a leader/,
    );
    expect(text).toContain('\n  ! node-c is down');
    expect(text).not.toContain('version');
  });
});

describe('what submit prints', () => {
  test('many tasks are counted, and only some are listed', () => {
    const replies = Array.from({ length: 30 }, (_, index) => ({ id: `id-${index}`, shard: 1 }));
    const lines = renderSubmitted(replies, screen, 20).split('\n');
    expect(lines[0]).toBe('30 tasks accepted');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toContain('and 10 more');
  });
});

describe('an error', () => {
  test('has what, cause and a suggestion', () => {
    const error = new CliError('unknownTask', 'no task ends with abcd');
    expect(renderFailure(error, screen)).toBe(
      'error: No such task — no task ends with abcd\n  try: Check the ID with `tsched list`.',
    );
  });

  test('lists its problems with excerpts, and the IDs it is about', () => {
    const error = new CliError('badSpec', '2 problems', {
      problems: [
        { place: 'a.yaml:1:2', message: 'is bad', excerpt: '1 | x\n  | ^' },
        { place: '--cpu', message: 'is worse' },
      ],
      ids: Array.from({ length: 22 }, (_, index) => `id${index}`),
      suggestion: '',
    });
    const lines = renderFailure(error, screen).split('\n');
    expect(lines.slice(1, 5)).toEqual([
      '  a.yaml:1:2: is bad',
      '    1 | x',
      '      | ^',
      '  --cpu: is worse',
    ]);
    expect(lines[5]).toMatch(/^ {2}id: id0 .* id19 and 2 more$/);
  });

  test('its text cannot carry escapes to a terminal', () => {
    const error = new CliError('internal', 'a\u001b[2Jb', { suggestion: '' });
    expect(renderFailure(error, { ...terminal, color: false })).toContain('— ab');
  });
});

describe('what holds a task', () => {
  const pause = { by: 'ann', atMs: nowMs - 3_000, reason: 'disks', suspend: false };

  test('is told once, with its tenant or the cluster where these are paused', () => {
    const shown = (parts: Partial<TaskView>): string =>
      renderTask(task({ state: 'waiting', reason: 'Paused', ...parts }), plainScreen(nowMs));
    expect(shown({ paused: pause })).toContain('  paused     by ann 3.0s ago: disks\n');
    const held = shown({ tenantPaused: { ...pause, tenant: 'search' } });
    expect(held).toContain('  paused     with tenant search, by ann 3.0s ago: disks\n');
    expect(held).toContain('try: tsched resume tenant search');
    const all = { ...pause, tenant: '*' };
    expect(shown({ tenantPaused: all })).toContain('with the whole cluster, by ann');
    // What runs goes on.
    expect(shown({ state: 'running', reason: undefined, tenantPaused: all })).not.toContain(
      'paused',
    );
    const still = shown({ state: 'running', tenantPaused: { ...all, suspend: true } });
    expect(still).toContain('with the whole cluster, suspended by ann');
    expect(still).toContain('try: tsched resume cluster');
  });

  test('labels, and what was changed, are told as people write them', () => {
    const set = { labels: { team: 'a' }, backoff: { initial: '30s', max: '1m' } };
    const shown = renderTask(
      task({ labels: { team: 'a', b: 'c' }, updated: { by: 'ann', atMs: nowMs, set } }),
      plainScreen(nowMs),
    );
    expect(shown).toContain('  labels     team=a b=c\n');
    expect(shown).toContain('updated    labels team=a, backoff initial=30s max=1m (by ann now)');
  });
});

describe('why tasks failed', () => {
  const failed: TaskSummary = {
    ...{ id: '06gzpmwrjc0e3w2zhjxg' as TaskId, tenant: 'default', name: '', state: 'failed' },
    ...{ tier: 'basic', command: 'x', submittedAtMs: nowMs, runs: 1, attemptsMax: 3, shard: 1 },
    outcome: outcome({ exitCode: 4 }),
    reason: 'not run again: 4 is in noRetryOn',
  };

  test('is what the last attempt did, then what was decided about it', () => {
    const letters = renderDeadLetters([failed], plainScreen(nowMs));
    expect(letters).toContain('failed: exit code 4 (not run again: 4 is in ');
    const list = renderTaskList([failed], plainScreen(nowMs));
    expect(list).toContain(' exit code 4 (not run again: 4 ');
    const lost = {
      ...failed,
      outcome: outcome({ kind: 'lost' }),
      reason: 'it may be what ends it',
    };
    expect(renderDeadLetters([lost], plainScreen(nowMs))).toContain('  it may be what ends it  ');
  });
});
