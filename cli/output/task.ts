/** One task: `tsched status ID` and the lines that `wait` prints. */
import { shortId } from '../../src/model/ids.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { describeResources } from '../../src/model/reservation.ts';
import {
  formatSize,
  noResources,
  type Resources,
  resourceNames,
} from '../../src/model/resources.ts';
import {
  type AttemptView,
  type BoundView,
  isSettled,
  type PauseView,
  type TaskView,
} from '../../src/model/task.ts';
import { ago, boundText, span } from './age.ts';
import { describeEnd, describeOutcome, statePaint } from './outcome.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { block, cut, oneLine } from './text.ts';

/** Attempts shown: of a task that was retried for days the newest say what there is to say. */
const attemptsShownMax = 10;

const colored = (task: TaskView, screen: Screen): string => {
  const style = statePaint(task.state);
  return style === undefined ? task.state : paint(screen, style, task.state);
};

function whyLine(task: TaskView): string | undefined {
  const reason = task.reason === undefined || task.reason === '' ? undefined : oneLine(task.reason);
  if (task.outcome === undefined || task.state === 'succeeded') return reason;
  return describeEnd(task.outcome, task.reason);
}

/** `06f… failed   exit code 2`, one line of a progress report or of `wait`. */
export function renderTaskLine(task: TaskView, screen: Screen): string {
  const name = task.name === '' ? '' : `  ${oneLine(task.name)}`;
  const why = whyLine(task);
  const node = task.attempts.at(-1)?.nodeName;
  const where = task.state === 'running' && node ? ` on ${oneLine(node)}` : '';
  return `${shortId(task.id)}${name}  ${colored(task, screen)}${where}${why ? `  ${why}` : ''}`;
}

const attemptColumns = (screen: Screen): readonly Column<AttemptView>[] => [
  { title: 'ATTEMPT', cell: attempt => String(attempt.attempt) },
  { title: 'NODE', cell: attempt => oneLine(attempt.nodeName || attempt.node) },
  {
    title: 'STARTED',
    cell: attempt =>
      attempt.startedAtMs === undefined ? '-' : ago(attempt.startedAtMs, screen.nowMs),
  },
  {
    title: 'RAN',
    right: true,
    cell: attempt =>
      attempt.startedAtMs === undefined
        ? '-'
        : span((attempt.endedAtMs ?? screen.nowMs) - attempt.startedAtMs),
  },
  {
    title: 'CPU',
    right: true,
    cell: ({ outcome }) =>
      outcome === undefined ? '-' : span(outcome.userCpuMs + outcome.systemCpuMs),
  },
  {
    title: 'MEMORY',
    right: true,
    cell: ({ outcome }) =>
      outcome === undefined || outcome.peakMemoryBytes === 0
        ? '-'
        : formatSize(outcome.peakMemoryBytes),
  },
  {
    title: 'ENDED',
    cell: ({ outcome, startedAtMs, suspended }) => {
      if (outcome !== undefined) return describeOutcome(outcome);
      if (startedAtMs === undefined) return 'starting';
      return suspended === true ? 'stands still' : 'runs';
    },
    paint: ({ outcome }) =>
      outcome === undefined ? undefined : outcome.kind === 'succeeded' ? 'green' : 'red',
  },
];

/** By when it should start, and what becomes of it else. */
export function startFacts(task: BoundView, screen: Screen): [string, string][] {
  const lines: [string, string][] = [];
  const { startBoundMs, boundMissed, expiresAtMs } = task;
  if (startBoundMs !== undefined) {
    const missed = boundMissed === true ? ', missed' : '';
    const kind = task.class === undefined ? '' : ` (${task.class})`;
    lines.push(['start by', `${boundText(startBoundMs, screen.nowMs)}${missed}${kind}`]);
  } else if (boundMissed === true) lines.push(['start', 'missed its start bound']);
  if (expiresAtMs !== undefined) lines.push(['expires', boundText(expiresAtMs, screen.nowMs)]);
  if (task.priority !== undefined) lines.push(['priority', task.priority]);
  return lines;
}

const pairs = (map: object): string =>
  Object.entries(map)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const shownValue = (value: unknown): string =>
  typeof value === 'object' && value !== null ? pairs(value) : String(value);

function pauseFacts({ state, paused, tenantPaused }: TaskView, screen: Screen): [string, string][] {
  const lines: [string, string][] = [];
  const add = (whose: string, { by, atMs, reason, suspend }: PauseView): void => {
    const how = `${whose}${suspend ? 'suspended ' : ''}by ${by} ${ago(atMs, screen.nowMs)}`;
    lines.push(['paused', oneLine(`${how}${reason === '' ? '' : `: ${reason}`}`)]);
  };
  if (paused !== undefined) add('', paused);
  if (tenantPaused !== undefined && (state === 'waiting' || tenantPaused.suspend)) {
    const { tenant } = tenantPaused;
    add(tenant === '*' ? 'with the whole cluster, ' : `with tenant ${tenant}, `, tenantPaused);
  }
  return lines;
}

/** What a task holds, and of what it may use more how much. */
function needsOf(request: Resources, limit = request): string {
  const raised = resourceNames.filter(name => limit[name] > request[name]);
  const upTo = Object.fromEntries(raised.map(name => [name, limit[name]]));
  const more = describeResources({ ...noResources, ...upTo });
  return `${describeResources(request)}${raised.length === 0 ? '' : `; up to ${more}`}`;
}

function facts(task: TaskView, screen: Screen): [string, string][] {
  const lines: [string, string][] = [];
  if (task.name !== '') lines.push(['name', oneLine(task.name)]);
  const why = whyLine(task);
  if (why !== undefined) lines.push([isSettled(task.state) ? 'outcome' : 'reason', why]);
  if (task.cancelRequested !== undefined && task.state !== 'cancelled') {
    const { by, reason } = task.cancelRequested;
    lines.push(['cancel', oneLine(`asked for by ${by}${reason === '' ? '' : `: ${reason}`}`)]);
  }
  lines.push(...pauseFacts(task, screen));
  if (task.updated !== undefined) {
    const { by, atMs, set } = task.updated;
    const what = Object.entries(set).map(([field, value]) => `${field} ${shownValue(value)}`);
    lines.push(['updated', oneLine(`${what.join(', ')} (by ${by} ${ago(atMs, screen.nowMs)})`)]);
  }
  if (task.labels !== undefined) lines.push(['labels', oneLine(pairs(task.labels))]);
  if (task.template !== undefined) lines.push(['template', oneLine(task.template)]);
  lines.push(['command', cut(oneLine(task.command), Math.max(20, screen.columns - 12))]);
  lines.push(['tier', task.tier]);
  if (task.request !== undefined) lines.push(['needs', needsOf(task.request, task.limit)]);
  const supervisors = task.supervisorsLost ?? 0;
  const under = supervisors === 0 ? '' : `, ${supervisors} of them with its supervisor`;
  const lost = task.lost === 0 ? '' : `, ${task.lost} more lost with a node${under}`;
  lines.push(['runs', `${task.runs} of ${task.attemptsMax}${lost}`]);
  if (task.notBeforeMs !== undefined && task.notBeforeMs > screen.nowMs) {
    const what = task.runs === 0 ? 'begins' : 'next run';
    lines.push([what, ago(task.notBeforeMs, screen.nowMs)]);
  }
  lines.push(...startFacts(task, screen));
  const settled =
    task.settledAtMs === undefined ? '' : `, settled ${ago(task.settledAtMs, screen.nowMs)}`;
  const owner = task.owner === '' ? '' : ` by ${oneLine(task.owner)}`;
  lines.push(['submitted', `${ago(task.submittedAtMs, screen.nowMs)}${owner}${settled}`]);
  lines.push(['shard', String(task.shard)]);
  if (task.orderKey !== undefined) lines.push(['order key', oneLine(task.orderKey)]);
  if (task.deadLetter === true) lines.push(['dlq', 'a dead letter: neither replayed nor purged']);
  if (task.retryOf !== undefined) lines.push(['retry of', task.retryOf]);
  if (task.schedule !== undefined) {
    const occurrence = formatInstant(task.occurrenceAtMs ?? 0);
    lines.push(['schedule', `${oneLine(task.schedule)}, occurrence ${occurrence}`]);
  }
  if (task.workflowId !== undefined) lines.push(['workflow', task.workflowId]);
  if (task.gang !== undefined) {
    lines.push(['gang', `${task.arrayId}, ${(task.arrayIndex ?? 0) + 1} of ${task.gang}`]);
  } else if (task.arrayId !== undefined) {
    lines.push(['array', `${task.arrayId} [${task.arrayIndex}]`]);
  }
  if (task.reservation !== undefined)
    lines.push(['room', `of the reservation ${oneLine(task.reservation)}`]);
  return lines;
}

function hints(task: TaskView): string {
  const short = shortId(task.id);
  if (task.paused !== undefined) return `tsched resume ${short}`;
  const { tenantPaused: all } = task;
  if (all !== undefined && (task.state === 'waiting' || all.suspend)) {
    return `tsched resume ${all.tenant === '*' ? 'cluster' : `tenant ${oneLine(all.tenant)}`}`;
  }
  if (task.state === 'waiting') return `tsched explain ${short}`;
  if (!isSettled(task.state)) return `tsched logs ${short} -f · tsched cancel ${short}`;
  const verb = task.deadLetter === true ? 'dlq replay' : 'retry';
  const retry = task.state === 'succeeded' ? '' : ` · tsched ${verb} ${short}`;
  return task.attempts.length === 0 ? retry.slice(3) : `tsched logs ${short}${retry}`;
}

/** The line on standard error of a task that no majority confirmed. */
export function staleWarning(task: TaskView): string {
  const since = task.staleMs === undefined || task.staleMs === 0 ? undefined : span(task.staleMs);
  const heard = since === undefined ? '' : `; that replica last heard of a leader ${since} ago`;
  return `warning: shown as one replica has it, no majority confirmed it${heard}`;
}

/** The whole of what `tsched status ID` prints. */
export function renderTask(task: TaskView, screen: Screen): string {
  const title = `${paint(screen, 'bold', task.id)}  ${colored(task, screen)}`;
  const lines = [task.stale ? `${title}  (may be out of date: no majority confirmed it)` : title];
  for (const [name, value] of facts(task, screen)) {
    lines.push(`  ${paint(screen, 'dim', name.padEnd(9))}  ${value}`);
  }
  if (task.attempts.length > 0) {
    const shown = task.attempts.slice(-attemptsShownMax);
    const left = task.attempts.length - shown.length;
    lines.push('', renderTable(attemptColumns(screen), shown, screen).replaceAll(/^/gm, '  '));
    if (left > 0) lines.push(`  and ${left} before; --json has them all`);
  }
  const tail = task.outcome?.tail ?? '';
  if (tail !== '' && task.state !== 'succeeded') {
    lines.push('', `  ${paint(screen, 'dim', 'end of its output:')}`);
    lines.push(block(tail, screen).trimEnd().replaceAll(/^/gm, '    '));
  }
  const hint = hints(task);
  if (hint !== '') lines.push('', `  ${paint(screen, 'dim', `try: ${hint}`)}`);
  return lines.join('\n');
}
