/** What `tsched plan` prints: a line for each document, and what the nodes say where it waits. */
import { errorTable } from '../../src/model/errors.ts';
import type { PlanRow } from '../wire.ts';
import { span } from './age.ts';
import { type Paint, paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

const paints: Record<PlanRow['verdict'], Paint> = {
  starts: 'green',
  waits: 'yellow',
  refused: 'red',
};

type NodeVerdict = NonNullable<PlanRow['nodes']>[number];

function renderPlan(plan: PlanRow, place: number, screen: Screen): string {
  const name = plan.name === '' ? `task ${place + 1}` : oneLine(plan.name);
  const many = plan.count > 1 ? ` [${plan.count}]` : '';
  const verdict = paint(screen, paints[plan.verdict] ?? 'dim', plan.verdict);
  const reason = plan.reason === undefined ? '' : ` (${plan.reason})`;
  const lines = [`${name}${many}  ${verdict}${reason}  ${oneLine(plan.message)}`];
  for (const { pointer, message } of plan.problems ?? []) {
    lines.push(`  ${oneLine(`${pointer}: ${message}`)}`);
  }
  const nodes = plan.nodes ?? [];
  if (plan.verdict === 'starts' || nodes.length === 0) return lines.join('\n');
  const columns: readonly Column<NodeVerdict>[] = [
    { title: 'NODE', cell: row => oneLine(row.name || row.node) },
    { title: 'TIER', cell: row => row.tier },
    { title: 'HEARD', right: true, cell: row => `${span(row.advertAgeMs)} ago` },
    { title: 'VERDICT', cell: row => oneLine(row.sentence) },
  ];
  lines.push(renderTable(columns, nodes, screen).replaceAll(/^/gm, '  '));
  return lines.join('\n');
}

export const renderPlans = (plans: readonly PlanRow[], screen: Screen): string =>
  plans.map((plan, place) => renderPlan(plan, place, screen)).join('\n');

/** The exit code of the first that would be refused. */
export function planExit(plans: readonly PlanRow[]): number {
  const code = plans.find(({ verdict }) => verdict === 'refused')?.code;
  return code === undefined ? 0 : (errorTable[code]?.exit ?? 1);
}
