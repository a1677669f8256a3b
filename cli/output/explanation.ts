/** Why a task is where it is, and what was decided about it: `tsched explain`. */
import { shortId } from '../../src/model/ids.ts';
import type { TaskExplanation } from '../wire.ts';
import { ago, span } from './age.ts';
import { statePaint } from './outcome.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { startFacts } from './task.ts';
import { oneLine } from './text.ts';

type NodeVerdict = TaskExplanation['nodes'][number];
type Decided = TaskExplanation['decisions'][number];

/** So many decisions are shown; `--json` has them all. */
const decisionsShownMax = 12;

function title(explanation: TaskExplanation, screen: Screen): string {
  const style = statePaint(explanation.state);
  const state = style ? paint(screen, style, explanation.state) : explanation.state;
  const parts = [`Task ${shortId(explanation.id)}  ${state}`, `reason ${explanation.reason}`];
  if (explanation.position !== undefined) {
    const of = explanation.readyInShard === undefined ? '' : ` of ${explanation.readyInShard}`;
    parts.push(`position ${explanation.position}${of} in its shard`);
  }
  return parts.join('   ');
}

function estimateLine(explanation: TaskExplanation, screen: Screen): string[] {
  const { estimate } = explanation;
  if (estimate === undefined) return [];
  const { startAtMs, sentence } = estimate;
  const when = startAtMs === undefined ? 'unknown' : ago(startAtMs, screen.nowMs);
  return [`  estimate   ${when}: ${oneLine(sentence)}`];
}

function verdictTable(explanation: TaskExplanation, screen: Screen): string {
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
  return renderTable(columns, explanation.nodes, screen).replaceAll(/^/gm, '  ');
}

function decisionTable(decisions: readonly Decided[], screen: Screen): string {
  const columns: readonly Column<Decided>[] = [
    { title: 'WHEN', right: true, cell: row => ago(row.atMs, screen.nowMs) },
    { title: 'WHAT', cell: row => oneLine(row.sentence) },
  ];
  return renderTable(columns, decisions, screen).replaceAll(/^/gm, '  ');
}

export function renderExplanation(explanation: TaskExplanation, screen: Screen): string {
  const { message, nodes, decisions } = explanation;
  const lines = [title(explanation, screen)];
  if (message !== '') lines.push(`  ${oneLine(message)}`);
  lines.push(...estimateLine(explanation, screen));
  for (const [name, value] of startFacts(explanation, screen)) {
    lines.push(`  ${name.padEnd(9)}  ${value}`);
  }
  // Nodes have nothing to say to a task that does not wait.
  if (explanation.state === 'waiting' && nodes.length > 0) {
    lines.push('', verdictTable(explanation, screen));
  }
  if (decisions.length > 0) {
    const shown = decisions.slice(-decisionsShownMax);
    lines.push('', decisionTable(shown, screen));
    const left = decisions.length - shown.length;
    if (left > 0) lines.push(`  and ${left} before; --json has them all`);
  }
  return lines.join('\n');
}
