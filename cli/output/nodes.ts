/** Nodes: the table of `node list` and the page of `node show`. */
import { formatSize, type Resources } from '../../src/model/resources.ts';
import { formatDuration } from '../../src/model/time.ts';
import type { DrainProgress, NodeCard, NodeRow } from '../wire.ts';
import { span } from './age.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine, plural } from './text.ts';

const cpus = (milli: number): string => String(Math.round(milli / 100) / 10);

/** Load is the largest share in use over all resources the node has. */
export function loadPercent(node: Pick<NodeRow, 'total' | 'free'>): number | undefined {
  const { total, free } = node;
  if (free === undefined) return undefined;
  let load = 0;
  for (const name of Object.keys(total) as (keyof Resources)[]) {
    if (total[name] > 0) load = Math.max(load, 1 - free[name] / total[name]);
  }
  return Math.round(Math.min(1, Math.max(0, load)) * 100);
}

const freeOf = (node: NodeRow, name: keyof Resources, show: (amount: number) => string): string =>
  `${node.free === undefined ? '?' : show(Math.max(0, node.free[name]))}/${show(node.total[name])}`;

/** `up`, `draining, 12 left`, `draining, away`, `drained`, `dead`. */
function stateOf({ state, drain, reachable }: NodeRow): string {
  if (drain === undefined) return oneLine(state);
  if (drain.drained) return 'drained';
  return `${oneLine(state)}, ${reachable ? `${leftOf(drain)} left` : 'away'}`;
}

const leftOf = (drain: DrainProgress): number => drain.replicasLeft + (drain.attemptsLeft ?? 0);

/** What is left to do before a node is drained, in words. */
export function drainText(drain: DrainProgress): string {
  if (drain.drained) return 'drained: stop it, or remove it';
  const attempts =
    drain.attemptsLeft === undefined ? 'attempts not known' : plural(drain.attemptsLeft, 'attempt');
  const deadline =
    drain.deadlineMs === undefined ? '' : `, ended after ${formatDuration(drain.deadlineMs)}`;
  return (
    `${plural(drain.leadsLeft, 'leadership')}, ${plural(drain.replicasLeft, 'replica')}, ` +
    `${attempts}${deadline} left`
  );
}

export function renderNodeList(nodes: readonly NodeRow[], screen: Screen): string {
  if (nodes.length === 0) return 'no nodes';
  const columns: readonly Column<NodeRow>[] = [
    { title: 'NODE', cell: node => `${oneLine(node.name)}${node.self ? ' *' : ''}` },
    {
      title: 'STATE',
      cell: stateOf,
      paint: node => (node.state === 'up' ? 'green' : 'yellow'),
    },
    { title: 'TIER', cell: node => node.tier },
    {
      title: 'LOAD',
      right: true,
      cell: node => {
        const load = loadPercent(node);
        return load === undefined ? '?' : `${load}%`;
      },
    },
    { title: 'CPU FREE', right: true, cell: node => freeOf(node, 'cpuMilli', cpus) },
    { title: 'MEMORY FREE', right: true, cell: node => freeOf(node, 'memoryBytes', formatSize) },
    { title: 'RUNS', right: true, cell: node => String(node.running) },
    { title: 'QUEUED', right: true, cell: node => String(node.queued) },
    { title: 'LEADS', right: true, cell: node => `${node.leads}/${node.replicas}` },
    {
      title: 'HEARD',
      right: true,
      cell: node => (node.advertAgeMs === undefined ? '-' : `${span(node.advertAgeMs)} ago`),
    },
    { title: 'HTTP', cell: node => oneLine(node.httpAddress) },
  ];
  return renderTable(columns, nodes, screen);
}

const amountLines = (node: NodeCard): [string, string][] => {
  const lines: [string, string][] = [
    ['cpu', `${freeOf(node, 'cpuMilli', cpus)} free`],
    ['memory', `${freeOf(node, 'memoryBytes', formatSize)} free`],
  ];
  if (node.total.diskBytes > 0)
    lines.push(['disk', `${freeOf(node, 'diskBytes', formatSize)} free`]);
  if (node.total.iops > 0) lines.push(['iops', `${freeOf(node, 'iops', String)} free`]);
  if (node.total.bandwidth > 0) {
    lines.push(['bandwidth', `${freeOf(node, 'bandwidth', formatSize)} a second free`]);
  }
  if (node.total.ports > 0) lines.push(['ports', `${freeOf(node, 'ports', String)} free`]);
  return lines;
};

const pairs = (map: Readonly<Record<string, string>>): string =>
  Object.entries(map)
    .map(([name, value]) => oneLine(`${name}=${value}`))
    .join(' ');

function speedLine({ vitals }: NodeCard): [string, string][] {
  if (vitals === undefined) return [];
  const { batchMs, batchMaxMs, lagMs, lagMaxMs, diskLow, diskFreeBytes } = vitals;
  const figures =
    `a write takes ${batchMs} ms (at most ${batchMaxMs}), ` +
    `the loop comes ${lagMs} ms late (at most ${lagMaxMs})`;
  const speed: [string, string] = ['speed', vitals.slow ? `TOO SLOW TO LEAD: ${figures}` : figures];
  if (diskFreeBytes === undefined) return [speed];
  const free = `${formatSize(diskFreeBytes)} free`;
  return [speed, ['data disk', diskLow ? `NEARLY FULL: ${free}, no new tasks are taken` : free]];
}

const versionOf = ({ version, clusterVersion }: NodeCard): string =>
  `${oneLine(version ?? 'not known')}, reads cluster version ${clusterVersion ?? 1}`;

export function renderNode(node: NodeCard, screen: Screen): string {
  const heard = node.advertAgeMs === undefined ? 'never' : `${span(node.advertAgeMs)} ago`;
  const load = loadPercent(node);
  const lines: [string, string][] = [
    ['id', node.id],
    ['version', versionOf(node)],
    ...(node.drain === undefined
      ? []
      : [['drain', drainText(node.drain)] satisfies [string, string]]),
    ['tier', node.tier],
    ['load', load === undefined ? 'not known' : `${load}%`],
    ...amountLines(node),
    ['tasks', `${node.running} running, ${node.queued} queued`],
    ['shards', `leads ${node.leads} of its ${node.replicas}`],
    ['heard', heard],
    ['http', oneLine(node.httpAddress)],
    ...node.addresses.map((address): [string, string] => ['listens', oneLine(address)]),
    ['store', `${node.storeId}, start ${node.bootCount}`],
    ...speedLine(node),
  ];
  if (Object.keys(node.labels).length > 0) lines.push(['labels', pairs(node.labels)]);
  for (const [name, value] of Object.entries(node.isolation ?? {})) {
    lines.push([oneLine(name), oneLine(value)]);
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  const title = `${paint(screen, 'bold', oneLine(node.name))}  ${stateOf(node)}`;
  const body = lines.map(
    ([name, value]) => `  ${paint(screen, 'dim', name.padEnd(width))}  ${value}`,
  );
  return [title, ...body].join('\n');
}
