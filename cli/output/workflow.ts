/**
 * A workflow in the terminal: its graph as a tree. A task stands under the last of those that it
 * waits for, and names the others; a task with one follower is followed on the same column.
 */
import { shortId } from '../../src/model/ids.ts';
import { isSettled } from '../../src/model/task.ts';
import {
  isWorkflowSettled,
  type WorkflowTaskView,
  type WorkflowView,
} from '../../src/model/workflow.ts';
import { ago, span } from './age.ts';
import { statePaint } from './outcome.ts';
import { type Paint, paint, type Screen } from './screen.ts';
import { cut, oneLine, plural } from './text.ts';

/** Tasks shown; `--json` has all. */
const tasksShownMax = 200;
/** Deeper branches are drawn as if they were no deeper. */
const railMax = 32;
const othersShownMax = 3;

interface Line {
  readonly task: WorkflowTaskView;
  /** What is drawn before its mark. */
  readonly rail: string;
  /** Those that it waits for beside the one that it stands under. */
  readonly others: readonly string[];
}

/** Lines in the order in which they are drawn. */
export function graphLines(tasks: readonly WorkflowTaskView[]): Line[] {
  const indexOf = new Map(tasks.map(({ name }, index) => [name, index]));
  const under = new Map<number, number[]>();
  const roots: number[] = [];
  tasks.forEach(({ after }, index) => {
    const parents = after.map(name => indexOf.get(name) ?? -1);
    const last = parents.length === 0 ? -1 : Math.max(...parents);
    if (last < 0) roots.push(index);
    else under.set(last, [...(under.get(last) ?? []), index]);
  });
  const lines: Line[] = [];
  // A stack, not recursion: a chain may be ten thousand long.
  const stack = roots.map(index => ({ index, rail: '', next: '' })).reverse();
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { index, rail, next } = top;
    const task = tasks[index]!;
    const last = Math.max(...task.after.map(name => indexOf.get(name) ?? -1));
    lines.push({ task, rail, others: task.after.filter(name => indexOf.get(name) !== last) });
    const children = under.get(index) ?? [];
    const isOnly = children.length === 1;
    const deep = next.length >= railMax;
    const pushed = children.map((child, place) => {
      if (isOnly) return { index: child, rail: next, next };
      const isLast = place === children.length - 1;
      const branch = isLast ? '└─' : '├─';
      const down = isLast ? '  ' : '│ ';
      return { index: child, rail: next + branch, next: deep ? next : next + down };
    });
    stack.push(...pushed.reverse());
  }
  return lines;
}

const marks: Record<string, string> = {
  waiting: '○',
  assigned: '●',
  running: '●',
  succeeded: '✓',
  failed: '✗',
  cancelled: '–',
  aborted: '–',
  missing: '?',
};

const wordOf = ({ state, skipped }: WorkflowTaskView): string => (skipped ? 'skipped' : state);

const paintOf = ({ state, skipped }: WorkflowTaskView): Paint | undefined =>
  skipped || state === 'missing' ? 'dim' : statePaint(state);

function detail(task: WorkflowTaskView, screen: Screen): string {
  const parts: string[] = [];
  const { startedAtMs, endedAtMs, nodeName, keptFrom, reason } = task;
  if (keptFrom !== undefined) parts.push(`kept from ${shortId(keptFrom)}`);
  else if (startedAtMs !== undefined) {
    parts.push(span((endedAtMs ?? screen.nowMs) - startedAtMs));
    if (nodeName !== undefined) parts.push(`on ${oneLine(nodeName)}`);
  }
  if (task.suspended) parts.push('stands still');
  if (keptFrom === undefined && task.state !== 'succeeded' && reason !== undefined) {
    parts.push(oneLine(reason));
  }
  return parts.join('  ');
}

function othersOf(others: readonly string[]): string {
  if (others.length === 0) return '';
  const shown = others.slice(0, othersShownMax).map(oneLine).join(', ');
  const more = others.length > othersShownMax ? ` and ${others.length - othersShownMax} more` : '';
  return `also after ${shown}${more}`;
}

function countsOf(tasks: readonly WorkflowTaskView[]): string {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(wordOf(task), (counts.get(wordOf(task)) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
}

/** Who paused what has not settled: all of it, or so many tasks. */
function pausedFact({ tasks }: WorkflowView, screen: Screen): string | undefined {
  const left = tasks.filter(({ state }) => state !== 'missing' && !isSettled(state));
  const pauses = left.flatMap(({ paused }) => (paused === undefined ? [] : [paused]));
  const newest = pauses.sort((a, b) => b.atMs - a.atMs)[0];
  if (newest === undefined) return undefined;
  const { by, atMs, reason, suspend } = newest;
  const some = pauses.length < left.length ? `${pauses.length} of ${left.length} tasks, ` : '';
  const how = `${some}${suspend ? 'suspended ' : ''}by ${by} ${ago(atMs, screen.nowMs)}`;
  return oneLine(`${how}${reason === '' ? '' : `: ${reason}`}`);
}

const workflowPaint: Partial<Record<WorkflowView['state'], Paint>> = {
  succeeded: 'green',
  failed: 'red',
  aborted: 'red',
  cancelled: 'yellow',
  running: 'cyan',
};

/** `06f…  nightly  failed`, one line of `wait`. */
export function renderWorkflowLine(view: WorkflowView, screen: Screen): string {
  const style = workflowPaint[view.state];
  const state = style === undefined ? view.state : paint(screen, style, view.state);
  const name = view.name === '' ? '' : `  ${oneLine(view.name)}`;
  return `${shortId(view.id)}${name}  ${state}`;
}

/** The whole of what `tsched status WORKFLOW` prints. */
export function renderWorkflow(view: WorkflowView, screen: Screen): string {
  const style = workflowPaint[view.state];
  const state = style === undefined ? view.state : paint(screen, style, view.state);
  const settled =
    view.settledAtMs === undefined ? '' : `, settled ${ago(view.settledAtMs, screen.nowMs)}`;
  const facts: [string, string][] = [];
  if (view.name !== '') facts.push(['name', oneLine(view.name)]);
  facts.push(['tasks', `${view.total}: ${countsOf(view.tasks)}`]);
  facts.push([
    'submitted',
    `${ago(view.submittedAtMs, screen.nowMs)} by ${oneLine(view.owner)}${settled}`,
  ]);
  if (view.retryOf !== undefined) facts.push(['retry of', view.retryOf]);
  const paused = pausedFact(view, screen);
  if (paused !== undefined) facts.push(['paused', paused]);
  if (view.cancelRequested !== undefined) {
    const { by, reason } = view.cancelRequested;
    facts.push(['cancel', oneLine(`asked for by ${by}${reason === '' ? '' : `: ${reason}`}`)]);
  }
  const stale = view.stale ? '  (may be out of date: no majority confirmed it)' : '';
  const lines = [`workflow ${paint(screen, 'bold', view.id)}  ${state}${stale}`];
  for (const [name, value] of facts)
    lines.push(`  ${paint(screen, 'dim', name.padEnd(9))}  ${value}`);
  lines.push('', ...drawGraph(view.tasks, screen));
  const short = shortId(view.id);
  const again = `tsched retry ${short} --from failed`;
  const hint = isWorkflowSettled(view.state)
    ? view.state === 'succeeded'
      ? ''
      : again
    : paused === undefined
      ? `tsched wait ${short} · tsched cancel ${short}`
      : `tsched resume workflow ${short}`;
  if (hint !== '') lines.push('', `  ${paint(screen, 'dim', `try: ${hint}`)}`);
  return lines.join('\n');
}

function drawGraph(tasks: readonly WorkflowTaskView[], screen: Screen): string[] {
  const all = graphLines(tasks);
  const shown = all.slice(0, tasksShownMax);
  const width = Math.max(...shown.map(({ rail, task }) => rail.length + task.name.length));
  const lines = shown.map(({ task, rail, others }) => {
    const word = wordOf(task);
    const style = paintOf(task);
    const painted = (text: string): string =>
      style === undefined ? text : paint(screen, style, text);
    const pad = ' '.repeat(width - rail.length - task.name.length);
    const rest = [detail(task, screen), othersOf(others)].filter(text => text !== '').join('  ');
    const head = `  ${rail}${painted(marks[task.state] ?? '?')} ${task.name}${pad}  `;
    const room = Math.max(20, screen.columns - width - 18);
    return `${head}${painted(word.padEnd(9))}  ${shortId(task.id)}  ${cut(rest, room)}`.trimEnd();
  });
  if (all.length > shown.length) {
    lines.push(`  and ${plural(all.length - shown.length, 'more task')}; --json has them all`);
  }
  return lines;
}
