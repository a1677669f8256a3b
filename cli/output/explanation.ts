/** Why a task waits, and what each node says to it: `tsched explain`. */
import { shortId } from '../../src/model/ids.ts';
import type { TaskExplanation } from '../wire.ts';
import { span } from './age.ts';
import { statePaint } from './outcome.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

type NodeVerdict = TaskExplanation['nodes'][number];

export function renderExplanation(explanation: TaskExplanation, screen: Screen): string {
  const style = statePaint(explanation.state);
  const state = style ? paint(screen, style, explanation.state) : explanation.state;
  const parts = [`Task ${shortId(explanation.id)}  ${state}`];
  if (explanation.reason) parts.push(`reason ${oneLine(explanation.reason)}`);
  if (explanation.position !== undefined) {
    const of = explanation.readyInShard === undefined ? '' : ` of ${explanation.readyInShard}`;
    parts.push(`position ${explanation.position}${of} in its shard`);
  }
  const lines = [parts.join('   ')];
  if (explanation.message !== '') lines.push(`  ${oneLine(explanation.message)}`);
  if (explanation.nodes.length === 0) return lines.join('\n');
  const columns: readonly Column<NodeVerdict>[] = [
    { title: 'NODE', cell: row => oneLine(row.name || row.node) },
    { title: 'TIER', cell: row => row.tier },
    { title: 'HEARD', right: true, cell: row => `${span(row.advertAgeMs)} ago` },
    {
      title: 'VERDICT',
      cell: row => oneLine(row.sentence),
      paint: row => (row.verdict.kind === 'fits' ? 'green' : undefined),
    },
  ];
  lines.push('', renderTable(columns, explanation.nodes, screen).replaceAll(/^/gm, '  '));
  return lines.join('\n');
}
