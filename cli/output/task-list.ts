/** The table of `tsched list`. */
import { shortId } from '../../src/model/ids.ts';
import type { TaskSummary } from '../../src/model/task.ts';
import { ago } from './age.ts';
import { describeEnd, statePaint } from './outcome.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { cut, oneLine } from './text.ts';

/** `failed` stands in the column of states. */
const why = ({ outcome, reason }: TaskSummary): string =>
  describeEnd(outcome, reason).replace(/^failed: /, '') || '-';

export function renderTaskList(tasks: readonly TaskSummary[], screen: Screen): string {
  if (tasks.length === 0) return 'no tasks';
  const columns: readonly Column<TaskSummary>[] = [
    { title: 'ID', cell: task => shortId(task.id) },
    { title: 'NAME', cell: task => (task.name === '' ? '-' : cut(oneLine(task.name), 24)) },
    { title: 'STATE', cell: task => task.state, paint: task => statePaint(task.state) },
    { title: 'NODE', cell: task => oneLine(task.nodeName || '-') },
    { title: 'RUNS', cell: task => `${task.runs}/${task.attemptsMax}` },
    { title: 'SUBMITTED', cell: task => ago(task.submittedAtMs, screen.nowMs) },
    { title: 'REASON', cell: task => cut(why(task), 32) },
    { title: 'COMMAND', cell: task => cut(oneLine(task.command), 80) },
  ];
  return renderTable(columns, tasks, screen);
}
