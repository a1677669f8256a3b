/** Schedules for a person: the listing, one of them, what is to come. */
import { shortId } from '../../src/model/ids.ts';
import { formatInstant } from '../../src/model/instant.ts';
import type { ScheduleSummary, ScheduleView } from '../../src/model/schedule.ts';
import { ago, instantIn } from './age.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { cut, oneLine, plural } from './text.ts';

const nextText = (schedule: ScheduleSummary, screen: Screen): string =>
  schedule.nextAtMs === undefined ? '-' : ago(schedule.nextAtMs, screen.nowMs);

const columns = (screen: Screen): readonly Column<ScheduleSummary>[] => [
  { title: 'NAME', cell: schedule => oneLine(schedule.name) },
  {
    title: 'STATE',
    cell: schedule => schedule.state,
    paint: ({ state }) => (state === 'active' ? 'green' : undefined),
  },
  { title: 'WHEN', cell: schedule => oneLine(schedule.timing) },
  { title: 'ZONE', cell: schedule => oneLine(schedule.timezone) },
  { title: 'NEXT', cell: schedule => nextText(schedule, screen) },
  { title: 'FIRED', right: true, cell: schedule => String(schedule.fired) },
  { title: 'COMMAND', cell: schedule => oneLine(schedule.command) },
];

export const renderScheduleList = (schedules: readonly ScheduleSummary[], screen: Screen): string =>
  renderTable(columns(screen), schedules, screen);

function lines(schedule: ScheduleView, screen: Screen): [string, string][] {
  const { document, paused, recent } = schedule;
  const word = (name: string): string | undefined => {
    const value = document[name];
    return value === undefined ? undefined : oneLine(String(value));
  };
  const found: [string, string][] = [['when', `${schedule.timing}, ${schedule.timezone}`]];
  if (schedule.nextAtMs !== undefined) {
    const when = instantIn(schedule.nextAtMs, schedule.timezone);
    found.push(['next', `${when}  ${ago(schedule.nextAtMs, screen.nowMs)}`]);
  }
  if (paused !== undefined) {
    const why = paused.reason === '' ? '' : `: ${paused.reason}`;
    found.push(['paused', oneLine(`${ago(paused.atMs, screen.nowMs)} by ${paused.by}${why}`)]);
  }
  if (schedule.heldBack !== undefined) found.push(['held back', oneLine(schedule.heldBack)]);
  found.push(['command', cut(oneLine(schedule.command), Math.max(20, screen.columns - 12))]);
  const within = word('catchUpWithin');
  found.push(['overlap', word('overlap') ?? '']);
  found.push(['catch-up', `${word('catchUp')}${within === undefined ? '' : ` within ${within}`}`]);
  for (const name of ['jitter', 'until']) {
    const value = word(name);
    if (value !== undefined) found.push([name, value]);
  }
  if (schedule.left !== undefined) {
    found.push(['left', `${schedule.left} of ${plural(Number(document['count']), 'occurrence')}`]);
  }
  const { fired, skipped, missed } = schedule;
  found.push(['fired', `${fired}, ${skipped} skipped, ${missed} missed`]);
  if (schedule.running.length > 0) {
    const shown = schedule.running.slice(0, 5).map(shortId).join(' ');
    const more = schedule.running.length - 5;
    found.push(['running', more > 0 ? `${shown} and ${more} more` : shown]);
  }
  if (schedule.queued.length > 0) {
    found.push(['queued', plural(schedule.queued.length, 'occurrence')]);
  }
  found.push(['created', `${ago(schedule.createdAtMs, screen.nowMs)} by ${schedule.createdBy}`]);
  found.push(['shard', String(schedule.shard)]);
  for (const { occurrenceMs, taskId } of recent.slice(-5).reverse()) {
    found.push(['task', `${shortId(taskId)}  of ${formatInstant(occurrenceMs)}`]);
  }
  return found;
}

/** The whole of what `tsched schedule show` prints. */
export function renderSchedule(schedule: ScheduleView, screen: Screen): string {
  const title = `${paint(screen, 'bold', oneLine(schedule.name))}  ${schedule.state}`;
  const facts = lines(schedule, screen).map(([name, text]) => `  ${name.padEnd(9)} ${text}`);
  return [title, ...facts].join('\n');
}

/** One occurrence a line, by the clocks of the zone. */
export const renderOccurrences = (
  instants: readonly number[],
  zone: string,
  screen: Screen,
): string =>
  instants.length === 0
    ? 'no occurrence is to come'
    : instants.map(ms => `${instantIn(ms, zone)}  ${ago(ms, screen.nowMs)}`).join('\n');
