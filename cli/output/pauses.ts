/** What is paused beside single tasks: `tsched pause` without a name. */
import type { PauseRow } from '../wire.ts';
import { ago } from './age.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

export function renderPauses(pauses: readonly PauseRow[], screen: Screen): string {
  if (pauses.length === 0) return 'nothing is paused but what `tsched list` shows as Paused';
  const columns: readonly Column<PauseRow>[] = [
    { title: 'PAUSED', cell: row => (row.tenant === '*' ? 'the cluster' : oneLine(row.tenant)) },
    { title: 'WHAT RUNS', cell: row => (row.suspend ? 'stands still' : 'goes on') },
    { title: 'SINCE', cell: row => ago(row.atMs, screen.nowMs) },
    { title: 'BY', cell: row => oneLine(row.by) },
    { title: 'REASON', cell: row => oneLine(row.reason) },
  ];
  return renderTable(columns, pauses, screen);
}
