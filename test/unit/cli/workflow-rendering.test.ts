/** The graph of a workflow as it is drawn in the terminal. */
import { expect, test } from 'vitest';
import { plainScreen } from '../../../cli/output/screen.ts';
import { graphLines, renderWorkflow } from '../../../cli/output/workflow.ts';
import { workflowExit } from '../../../cli/workflow-client.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { WorkflowTaskView, WorkflowView } from '../../../src/model/workflow.ts';

const nowMs = 1_700_000_100_000;

const task = (
  name: string,
  after: readonly string[],
  more: Partial<WorkflowTaskView> = {},
): WorkflowTaskView => ({
  id: `06fkq8t4r8m2s9v7d${name.padEnd(3, '0').slice(0, 3)}` as TaskId,
  name,
  after,
  when: 'success',
  state: 'succeeded',
  startedAtMs: nowMs - 2_000,
  endedAtMs: nowMs - 1_000,
  nodeName: 'n1',
  ...more,
});

const view = (
  tasks: readonly WorkflowTaskView[],
  more: Partial<WorkflowView> = {},
): WorkflowView => ({
  id: '06fkq8t4r8m2s9v7d1xa' as TaskId,
  name: 'nightly',
  tenant: 'default',
  owner: 'ann',
  state: 'failed',
  shard: 3,
  total: tasks.length,
  submittedAtMs: nowMs - 60_000,
  settledAtMs: nowMs,
  tasks,
  stale: false,
  ...more,
});

test('a graph branches, joins, and goes on in one column', () => {
  const shown = renderWorkflow(
    view([
      task('extract', []),
      task('clean', ['extract']),
      task('index', ['extract'], { state: 'failed', reason: 'exit code 2' }),
      task('publish', ['clean', 'index'], { state: 'aborted', startedAtMs: undefined }),
      task('tell', ['publish'], { state: 'aborted', skipped: true, startedAtMs: undefined }),
    ]),
    plainScreen(nowMs),
  );
  const graph = shown.split('\n').filter(line => /[✓✗–○●]/.test(line));
  expect(graph.map(line => line.replace(/ {2,}[a-z]+ .*/, ''))).toEqual([
    '  ✓ extract',
    '  ├─✓ clean',
    '  └─✗ index',
    '    – publish',
    '    – tell',
  ]);
  expect(graph[3]).toContain('also after clean');
  expect(graph[4]).toContain('skipped');
  expect(shown).toContain('5: 2 succeeded, 1 failed, 1 aborted, 1 skipped');
  expect(shown).toContain('tsched retry s9v7d1xa --from failed');
});

test('a chain of ten thousand is drawn without recursion, and cut', () => {
  const chain = Array.from({ length: 10_000 }, (_, n) =>
    task(`t${n}`, n === 0 ? [] : [`t${n - 1}`]),
  );
  const lines = graphLines(chain);
  expect(lines).toHaveLength(10_000);
  expect(lines.at(-1)).toMatchObject({ rail: '', others: [] });
  expect(renderWorkflow(view(chain), plainScreen(nowMs))).toContain('and 9800 more tasks');
});

test('deep branches stay within the screen', () => {
  const tasks = Array.from({ length: 100 }, (_, n) => [
    task(`a${n}`, n === 0 ? [] : [`a${n - 1}`]),
    task(`b${n}`, n === 0 ? [] : [`a${n - 1}`]),
  ]).flat();
  expect(Math.max(...graphLines(tasks).map(({ rail }) => rail.length))).toBeLessThan(40);
});

test('names cannot forge the screen, and the exit code says how it ended', () => {
  const shown = renderWorkflow(
    view([task('a', [], { reason: '\u001b[2Jx', state: 'failed' })]),
    plainScreen(nowMs),
  );
  expect(shown).not.toContain('\u001b');
  expect(workflowExit({ state: 'running' })).toBe(5);
  expect(workflowExit({ state: 'failed' })).toBe(3);
  expect(workflowExit({ state: 'aborted' })).toBe(4);
  expect(workflowExit({ state: 'succeeded' })).toBe(0);
});

test('who paused it is told, and what of it stands still', () => {
  const paused = { by: 'ann', atMs: nowMs - 3_000, reason: 'new disks', suspend: true };
  const open = { state: 'running', settledAtMs: undefined } as const;
  const waiting = { state: 'waiting', startedAtMs: undefined, reason: 'Paused' } as const;
  const running = { state: 'running', endedAtMs: undefined, suspended: true } as const;
  const whole = [task('a', [], { ...running, paused }), task('b', ['a'], { ...waiting, paused })];
  const shown = renderWorkflow(view(whole, open), plainScreen(nowMs));
  expect(shown).toContain('  paused     suspended by ann 3.0s ago: new disks\n');
  expect(shown).toMatch(/● a +running .* on n1 {2}stands still/);
  expect(shown).toContain('try: tsched resume workflow');
  const some = renderWorkflow(
    view([whole[0]!, task('b', ['a'], waiting)], open),
    plainScreen(nowMs),
  );
  expect(some).toContain('1 of 2 tasks, suspended by ann');
});
