/** The results of the study for people: a table, which goals were missed, and the page of docs. */
import { type Cell, isOverload } from './cell.ts';

/** What has to hold where the load is that. */
const goals = { load: 0.8, p50: 1.12, p99: 2, jain: 0.95, boundsKept: 0.999 } as const;

const percent = (share: number, digits = 0): string => `${(share * 100).toFixed(digits)} %`;
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
const times = (factor: number): string => factor.toFixed(2);
const orNone = (value: number | null, digits: number): string => value?.toFixed(digits) ?? '-';

const ratioOf = ({ real, omniscient }: Cell, at: 'p50' | 'p99'): number =>
  real.response[at] / omniscient.response[at];

/** A cell in one line, for those who wait for the others. */
export const lineOf = (cell: Cell): string =>
  `${cell.nodes} nodes at ${percent(cell.load)}: p50 ${times(ratioOf(cell, 'p50'))} and p99 ` +
  `${times(ratioOf(cell, 'p99'))} of the best, ${percent(cell.real.use, 1)} in use, ` +
  `Jain index ${orNone(cell.real.fairness.mean, 3)}`;

/** What was missed, a line each. */
export function missedBy(cells: readonly Cell[]): string[] {
  return cells.flatMap(cell => {
    const missed: string[] = [];
    const at = `${cell.nodes} nodes at ${percent(cell.load)}: `;
    const judge = (holds: boolean, text: string): void => {
      if (!holds) missed.push(at + text);
    };
    const { fairness, boundsKept } = cell.real;
    if (cell.load <= goals.load) {
      const [p50, p99] = [ratioOf(cell, 'p50'), ratioOf(cell, 'p99')];
      judge(p50 <= goals.p50, `response p50 is ${times(p50)} of the omniscient, not ${goals.p50}`);
      judge(p99 <= goals.p99, `response p99 is ${times(p99)} of the omniscient, not ${goals.p99}`);
      judge(boundsKept >= goals.boundsKept, `only ${percent(boundsKept, 2)} of the bounds kept`);
    }
    const { mean } = fairness;
    judge(mean === null || mean > goals.jain, `Jain index ${orNone(mean, 3)}, not ${goals.jain}`);
    return missed;
  });
}

/** What the study is to show. */
const sizes = [100, 1_000];
const loads = [0.5, 0.8, 0.95];

/** Of that, what these cells do not. */
function notShownBy(cells: readonly Cell[]): string[] {
  const lacking = sizes.flatMap(nodes =>
    loads
      .filter(load => !cells.some(cell => cell.nodes === nodes && cell.load === load))
      .map(load => `${nodes} nodes at ${percent(load)}`),
  );
  const isFairnessShown = cells.some(
    ({ load, real }) => isOverload(load) && real.fairness.mean !== null,
  );
  return isFairnessShown
    ? lacking
    : [...lacking, 'fairness where more comes than there is room for'];
}

/** The goals, as far as these cells go. */
function judged(cells: readonly Cell[]): string {
  const missed = missedBy(cells);
  const lacking = notShownBy(cells);
  return [
    missed.length === 0 ? 'All goals that these rows show are met.' : 'Missed:\n',
    ...missed.map(goal => `- ${goal}`),
    ...(lacking.length === 0 ? [] : [`\nNot measured here: ${lacking.join(', ')}.`]),
  ].join('\n');
}

type Column = readonly [title: string, text: (cell: Cell) => string];

/** Of loads that the cluster can bear. */
const servedColumns: readonly Column[] = [
  ['nodes', cell => String(cell.nodes)],
  ['load', cell => percent(cell.load)],
  ['span', cell => `${cell.spanMs / 1_000} s`],
  ['tasks', cell => String(cell.tasks)],
  ['p50', cell => seconds(cell.real.response.p50)],
  ['of best', cell => times(ratioOf(cell, 'p50'))],
  ['p99', cell => seconds(cell.real.response.p99)],
  ['of best', cell => times(ratioOf(cell, 'p99'))],
  ['wait p50', cell => `${cell.real.wait.p50.toFixed(0)} ms`],
  ['wait p99', cell => seconds(cell.real.wait.p99)],
  ['best', cell => seconds(cell.omniscient.wait.p99)],
  ['use', cell => percent(cell.real.use, 1)],
  ['best', cell => percent(cell.omniscient.use, 1)],
  ['bounds kept', cell => percent(cell.real.boundsKept, 2)],
];

/** Of all, who is served while some wait. */
const fairColumns: readonly Column[] = [
  ['nodes', cell => String(cell.nodes)],
  ['load', cell => percent(cell.load)],
  ['Jain mean', cell => orNone(cell.real.fairness.mean, 3)],
  ['least', cell => orNone(cell.real.fairness.least, 3)],
  ['contending', cell => orNone(cell.real.fairness.tenants, 1)],
  ['of these', cell => orNone(cell.real.fairness.contending, 3)],
  ['best (unfair)', cell => orNone(cell.omniscient.fairness.mean, 3)],
  ['use', cell => percent(cell.real.use, 1)],
];

/** What it costs. */
const costColumns: readonly Column[] = [
  ['nodes', cell => String(cell.nodes)],
  ['load', cell => percent(cell.load)],
  ['refused / task', cell => cell.refusals.toFixed(3)],
  ['queued in vain', cell => cell.queuedInVain.toFixed(3)],
  ['plans / task', cell => cell.plansPerTask.toFixed(2)],
  ['gossip / s', cell => cell.gossipPerSecond.toFixed(0)],
  ['told / s', cell => cell.toldPerSecond.toFixed(0)],
  ['kB / s read', cell => (cell.advertisedBytesPerSecond / 1_000).toFixed(1)],
];

function rowsOf(columns: readonly Column[], cells: readonly Cell[]): string {
  const titles = columns.map(([title]) => title);
  const lines = cells.map(cell => columns.map(([, text]) => text(cell)));
  const widths = titles.map((title, at) =>
    Math.max(title.length, ...lines.map(line => line[at]!.length)),
  );
  const row = (line: readonly string[]): string =>
    `| ${line.map((text, at) => text.padStart(widths[at]!)).join(' | ')} |`;
  const rule = `| ${widths.map(width => `${'-'.repeat(width - 1)}:`).join(' | ')} |`;
  return [row(titles), rule, ...lines.map(row)].join('\n');
}

const bearable = (cells: readonly Cell[]): Cell[] => cells.filter(({ load }) => !isOverload(load));

export const tableOf = (cells: readonly Cell[]): string =>
  [
    rowsOf(servedColumns, bearable(cells)),
    rowsOf(fairColumns, cells),
    rowsOf(costColumns, cells),
  ].join('\n\n');

export function pageOf(cells: readonly Cell[]): string {
  return `# Placement, measured

Written by \`npm run study -- --write\`, seed ${cells[0]?.seed}; \`--nodes 100 --loads 0.8\` makes one row, \`--nodes 40 --loads 1.3
--span 60\` the one at 130 %. The same seed gives the same figures on any machine with this Node. A row of 100 nodes takes half a
minute of a core that has nothing else to do, one of 1,000 up to four.

## What runs

The real planner, fair order, ready queues, state machines, leaders, workers and advertisers, in virtual time: 64 shards
led by 64 nodes that decide at the same time, from advertisements as old as they are in a network. Only what takes time
without deciding is left out: replicas (a commit takes 5 ms on average), the network (0.5 ms a frame, 8 ms a hop of
gossip), processes (4 ms to start one), planning (3 µs a node). Nothing fails.

Nodes: half have 4 CPUs (basic), 35 % have 8 (regular), 15 % have 16 (premium), each 4 GiB a CPU. Tasks come as in the
public traces: 70 % of the submissions are one task, the others 2 to 100 at once; half of the tasks end within 2 s, one in
twenty takes 15 s to 2 minutes and these are half of the work; 0.25 to 4 CPUs; 70 % basic, 20 % regular, 10 % premium;
twenty tenants of weights 1, 2 and 4, the first with a fifth of the work; 15 % may wait for 30 s, 35 % for 5 minutes, the
others for a day. The cluster is busy from the beginning; the first 5 s are not measured.

The _best_ is one queue that knows at each instant what is free, and decides and acts in no time: oldest first, passing by
what does not fit, the tightest node of the lowest tier that suffices. Like every scheduler it does not know how long tasks
take.

## Response time

From the submit to the end. Goal at 80 % and below: p50 within ${times(goals.p50)} of the best, p99 within ${times(goals.p99)}.

${rowsOf(servedColumns, bearable(cells))}

![Response time against the best](placement.svg)

## Fairness

The Jain index, (Σx)² / (n · Σx²) with x = what a tenant holds / what it is entitled to, over all tenants with work: 1 is
even. Goal: above ${goals.jain}. What a tenant holds is its share of the resource of which it holds most; what it is entitled to is its
max-min fair share by weight of what all hold, limited by what it asks for: whoever asks for little is due no more than
that, and what it leaves is shared among the others. Both are taken every 250 ms and summed over a window; given are the
mean and the least of all windows. _Contending_ are those that ask for a fifth more than they are due in a window, on average;
_of these_ is the index of them alone, over the windows with two or more.

Up to 95 % the windows are of 5 s, from the fifth second on. There is room for nearly all, so most hold what they ask for, and
what lowers the index are seconds in which much comes at once. All classes are taken together: what is urgent goes before
fairness (the 15 % that may wait for 30 s), whoever it belongs to, and counts in what its tenant holds, as does what waits
because no node of its tier has room. At 130 % more comes than there is room for: that is where fairness is decided, and the
harder row. All its tasks are of one class, and its windows are of 20 s in the second half of the span, as nothing is preempted
and nobody has shared out what runs at the beginning. Tasks are up to as large as a node, and what becomes free goes to the first
in the order of tenants that it fits, as far as leaders know of each other's tasks:
[ADR 0042](../adr/0042-heads-elsewhere.md) says how far that is, and what it costs. The best queue is fair to nobody.

${rowsOf(fairColumns, cells)}

## What it costs

Advertisements are counted as each node that leads reads them: gossiped by all, and told over a connection.

${rowsOf(costColumns, cells)}

## Judged

${judged(cells)}
`;
}
