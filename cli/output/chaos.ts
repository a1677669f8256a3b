/** Scenarios, the progress of a run and its result, for a person. */
import { formatDuration } from '../../src/model/time.ts';
import type { AttachPlan, ChaosReport, RunNews, Scenario } from '../chaos-program.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { cut, oneLine } from './text.ts';

const faultsOf = (scenario: Scenario): string => {
  const kinds = [...new Set(scenario.faults.map(fault => fault.kind))];
  if (scenario.random !== undefined) kinds.push(`random: ${scenario.random.kinds.length} kinds`);
  return kinds.join(', ');
};

export function renderScenarios(scenarios: readonly Scenario[], screen: Screen): string {
  const columns: readonly Column<Scenario>[] = [
    { title: 'SCENARIO', cell: scenario => scenario.name },
    { title: 'NODES', right: true, cell: scenario => String(scenario.nodes) },
    { title: 'WORK', right: true, cell: scenario => formatDuration(scenario.workMs) },
    { title: 'FAULTS', cell: scenario => cut(faultsOf(scenario), 40) },
    { title: 'ABOUT', cell: scenario => oneLine(scenario.about) },
  ];
  return renderTable(columns, scenarios, screen);
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** News of a run: lines, and on a terminal one line that is written over each second. */
export class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #screen: Screen;
  #shown = false;

  constructor(stream: NodeJS.WriteStream, screen: Screen) {
    this.#stream = stream;
    this.#screen = screen;
  }

  show(news: RunNews): void {
    if (news.kind === 'tick') {
      if (this.#screen.tty) this.#overwrite(tickText(news));
      return;
    }
    this.clear();
    const at = news.kind === 'fault' ? seconds(news.atMs).padStart(8) : '        ';
    this.#stream.write(`${paint(this.#screen, 'dim', at)}  ${oneLine(news.text)}\n`);
  }

  #overwrite(text: string): void {
    this.#stream.write(`\r\u001b[2K${cut(text, this.#screen.columns - 1)}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[2K');
    this.#shown = false;
  }
}

function tickText(tick: Extract<RunNews, { kind: 'tick' }>): string {
  const parts = [
    seconds(tick.atMs).padStart(8),
    `${tick.acked} of ${tick.submitted} acknowledged`,
    `${tick.led}/${tick.shards} shards led`,
    `${tick.up}/${tick.nodes} nodes up`,
    ...tick.active,
  ];
  return parts.join('   ');
}

const verdictPaint = { green: 'green', red: 'red', skipped: 'yellow' } as const;

export function renderReport(report: ChaosReport, screen: Screen): string {
  const { verdict, scenario, seed, headline } = report;
  const word = paint(screen, verdictPaint[verdict], verdict.toUpperCase());
  const lines = [`${word}   ${scenario}, seed ${seed}`, headline, ''];
  for (const note of report.notes) lines.push(`  ${oneLine(note)}`);
  if (report.notes.length > 0) lines.push('');
  for (const { kind, reason } of report.lacks) lines.push(`  ${kind}: ${oneLine(reason)}`);
  for (const check of report.checks) {
    const mark = check.ok ? paint(screen, 'green', 'holds ') : paint(screen, 'red', 'BROKEN');
    lines.push(`  ${mark}  ${check.promise} (${check.found})`);
    for (const text of check.cases) lines.push(`            ${oneLine(text)}`);
  }
  if (report.faults.length > 0) lines.push('', ...report.faults.flatMap(faultLines));
  return lines.join('\n').trimEnd();
}

function faultLines({ number, kind, nodes, recovery, told }: ChaosReport['faults'][number]) {
  const took = (ms: number | undefined): string => (ms === undefined ? 'never' : seconds(ms));
  const recovered = recovery.map(
    ({ since, ackMs, ledMs }) =>
      `since its ${since}: acknowledged ${took(ackMs)}, led ${took(ledMs)}`,
  );
  return [
    `  ${number} ${kind} ${nodes.join(' ')}   ${recovered.join('; ')}`,
    ...told.map(text => `            ${oneLine(text)}`),
  ];
}

type PlannedNode = AttachPlan['nodes'][number];
type PlannedFault = AttachPlan['faults'][number];

/** What a run would do to a cluster that runs already. */
export function renderAttachPlan(plan: AttachPlan, screen: Screen): string {
  const dash = '–';
  const nodes: readonly Column<PlannedNode>[] = [
    { title: 'NODE', cell: node => node.node },
    { title: 'NAME', cell: node => node.name },
    { title: 'PROCESS', right: true, cell: node => String(node.pid ?? dash) },
    { title: 'STARTED AGAIN BY', cell: node => node.startedAgainBy ?? dash },
    { title: 'DATA DIRECTORY', cell: node => node.dataDir ?? `${dash} (${node.address})` },
  ];
  const faults: readonly Column<PlannedFault>[] = [
    { title: 'AT', right: true, cell: fault => seconds(fault.atMs) },
    { title: 'FOR', right: true, cell: fault => (fault.forMs === 0 ? dash : seconds(fault.forMs)) },
    { title: 'FAULT', cell: fault => fault.kind },
    { title: 'TARGET', cell: fault => fault.target },
    { title: 'WHICH', cell: fault => fault.does },
  ];
  const commands = plan.nodes.filter(node => node.startedAgainBy === 'this run');
  const { rate, workMs, schedules } = plan;
  const made = schedules === 1 ? '1 schedule that is' : `${schedules} schedules that are`;
  const work =
    `${rate} tasks a second for ${formatDuration(workMs)}` +
    (schedules === 0 ? '' : `, ${made} deleted afterwards`);
  return [
    `${plan.scenario} would be done to this cluster, of ${plan.shards} shards:`,
    '',
    renderTable(nodes, plan.nodes, screen),
    '',
    `${work}, and`,
    '',
    renderTable(faults, plan.faults, screen),
    ...(commands.length === 0 ? [] : ['', 'Nodes would be started again with']),
    ...commands.map(({ node, command = '' }) => `  ${node}  ${oneLine(command)}`),
    ...(plan.lacks.length === 0 ? [] : ['', 'It would be skipped as a whole, because of']),
    ...plan.lacks.map(({ kind, reason }) => `  ${kind}: ${oneLine(reason)}`),
  ].join('\n');
}
