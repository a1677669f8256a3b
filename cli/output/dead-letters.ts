/** The table of `tsched dlq list`. */
import { shortId } from '../../src/model/ids.ts';
import type { TaskSummary } from '../../src/model/task.ts';
import { ago } from './age.ts';
import { describeEnd } from './outcome.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { cut, oneLine } from './text.ts';

export function renderDeadLetters(tasks: readonly TaskSummary[], screen: Screen): string {
  if (tasks.length === 0) return 'no dead letters';
  const columns: readonly Column<TaskSummary>[] = [
    { title: 'ID', cell: task => shortId(task.id) },
    { title: 'NAME', cell: task => (task.name === '' ? '-' : cut(oneLine(task.name), 24)) },
    {
      title: 'FAILED',
      cell: task => (task.settledAtMs === undefined ? '-' : ago(task.settledAtMs, screen.nowMs)),
    },
    { title: 'RUNS', cell: task => `${task.runs}/${task.attemptsMax}` },
    { title: 'NODE', cell: task => oneLine(task.nodeName || '-') },
    { title: 'WHY', cell: task => cut(describeEnd(task.outcome, task.reason) || '-', 48) },
    { title: 'COMMAND', cell: task => cut(oneLine(task.command), 60) },
  ];
  return renderTable(columns, tasks, screen);
}
