/** What `tsched plan` prints: a line for each document, and what the nodes say where it waits. */
import { errorTable } from '../../src/model/errors.ts';
import { type Placing, placedOf, toldProblems } from '../refusal.ts';
import type { PlannedStageRow, PlannedStepRow, PlanRow, WorkflowPlan } from '../wire.ts';
import { boundText, span } from './age.ts';
import { renderProblem } from './failure.ts';
import { type Paint, paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine, plural } from './text.ts';

const paints: Record<PlanRow['verdict'], Paint> = {
  starts: 'green',
  waits: 'yellow',
  refused: 'red',
};

type NodeVerdict = NonNullable<PlanRow['nodes']>[number];

interface Row {
  /** From 0. */
  readonly at: number;
  /** Where what is wrong with its document stands. */
  readonly place?: Placing | undefined;
}

function renderPlan(plan: PlanRow, { at, place }: Row, screen: Screen): string {
  const name = plan.name === '' ? `task ${at + 1}` : oneLine(plan.name);
  const many = plan.count > 1 ? ` [${plan.count}]` : '';
  const verdict = paint(screen, paints[plan.verdict] ?? 'dim', plan.verdict);
  const reason = plan.reason === undefined ? '' : ` (${plan.reason})`;
  const bound =
    plan.verdict === 'waits' && plan.startBoundMs !== undefined
      ? `; start by ${boundText(plan.startBoundMs, screen.nowMs)}`
      : '';
  const found = placedOf(plan, place);
  const { sentence, problems } = toldProblems(found);
  const message = oneLine(found.length > 0 ? sentence : plan.message);
  const lines = [`${name}${many}  ${verdict}${reason}  ${message}${bound}`];
  for (const problem of problems) lines.push(renderProblem(problem, screen));
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

/** `placings` are those of the documents, in the order of their plans. */
export const renderPlans = (
  plans: readonly PlanRow[],
  screen: Screen,
  placings: readonly Placing[] = [],
): string =>
  plans.map((plan, at) => renderPlan(plan, { at, place: placings[at] }, screen)).join('\n');

/** Stages and tasks of a workflow that are shown; `--json` has more. */
const stagesShownMax = 20;
const tasksShownMax = 40;

function renderStages({ stages, stageCount }: WorkflowPlan, screen: Screen): string {
  const shown = stages.slice(0, stagesShownMax).map((stage, place) => ({ ...stage, place }));
  const count = (title: string, of: (row: PlannedStageRow) => number) =>
    ({ title, right: true, cell: row => String(of(row)) }) satisfies Column<PlannedStageRow>;
  const columns: readonly Column<(typeof shown)[number]>[] = [
    { title: 'STAGE', right: true, cell: row => String(row.place + 1) },
    count('TASKS', row => row.tasks),
    count('START', row => row.starts),
    count('WAIT', row => row.waits),
    count('REFUSED', row => row.refused),
  ];
  const more = stageCount - shown.length;
  const rest = more > 0 ? `\nand ${plural(more, 'more stage')}` : '';
  return renderTable(columns, shown, screen) + rest;
}

/** What would become of a workflow: as a whole, by stage, and of its tasks what fits a screen. */
export function renderWorkflowPlan(plan: WorkflowPlan, screen: Screen): string {
  const { total, stageCount } = plan;
  const name = plan.name === '' ? 'workflow' : `workflow ${oneLine(plan.name)}`;
  const verdict = paint(screen, paints[plan.verdict] ?? 'dim', plan.verdict);
  const size = `${plural(total, 'task')} in ${plural(stageCount, 'stage')}`;
  const isRefused = ({ verdict: of }: PlannedStepRow): boolean => of === 'refused';
  const refused = plan.plans.filter(isRefused);
  const rows = [...refused, ...plan.plans.filter(row => !isRefused(row))].slice(0, tasksShownMax);
  const lines = [
    `${name}  ${verdict}  ${oneLine(plan.message)}; ${size}`,
    renderStages(plan, screen),
    renderPlans(rows, screen),
  ];
  const more = total - rows.length;
  if (more > 0) lines.push(`and ${plural(more, 'more task')}; --json has more of them`);
  return lines.join('\n');
}

/** The exit code of the first that would be refused. */
export function planExit(plans: readonly Pick<PlanRow, 'verdict' | 'code'>[]): number {
  const code = plans.find(({ verdict }) => verdict === 'refused')?.code;
  return code === undefined ? 0 : (errorTable[code]?.exit ?? 1);
}
