/** The cluster: health, the table of shards, and the few lines of `tsched status` without an ID. */
import type { ClusterState, NodeRow, ShardRow } from '../wire.ts';
import { loadPercent } from './nodes.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine, plural } from './text.ts';

const shardStates: Record<ShardRow['state'], string> = {
  ok: 'ok',
  growing: 'growing',
  underReplicated: 'too few replicas',
  noLeader: 'NO LEADER',
};

function nodeNames(nodes: readonly NodeRow[]): (id: string) => string {
  const names = new Map(nodes.map(node => [node.id, node]));
  return id => {
    const node = names.get(id);
    if (node === undefined) return oneLine(id).slice(-8);
    return `${oneLine(node.name)}${node.state === 'up' ? '' : '!'}`;
  };
}

export function renderShards(
  shards: readonly ShardRow[],
  nodes: readonly NodeRow[],
  screen: Screen,
): string {
  const nameOf = nodeNames(nodes);
  const columns: readonly Column<ShardRow>[] = [
    { title: 'SHARD', right: true, cell: shard => String(shard.shard) },
    { title: 'TERM', right: true, cell: shard => String(shard.term) },
    { title: 'LEADER', cell: shard => (shard.leader === undefined ? '-' : nameOf(shard.leader)) },
    {
      title: 'VOTERS',
      cell: shard => {
        const learners = shard.learners.map(id => `+${nameOf(id)}`);
        return [...shard.voters.map(nameOf), ...learners].join(',');
      },
    },
    { title: 'FIRST', right: true, cell: shard => String(shard.firstIndex) },
    { title: 'COMMIT', right: true, cell: shard => String(shard.commit) },
    { title: 'LAG', right: true, cell: shard => String(Math.max(0, shard.commit - shard.applied)) },
    {
      title: 'TASKS w/r/s',
      cell: shard => `${shard.waiting}/${shard.running}/${shard.settled}`,
    },
    {
      title: 'STATE',
      cell: shard => shardStates[shard.state] ?? shard.state,
      paint: shard =>
        shard.state === 'ok' ? 'green' : shard.state === 'noLeader' ? 'red' : 'yellow',
    },
  ];
  return renderTable(columns, shards, screen);
}

export function renderHealth(health: ClusterState, screen: Screen): string {
  const word = health.ok ? paint(screen, 'green', 'ok') : paint(screen, 'red', 'NOT OK');
  const without = health.shardsWithoutLeader.length;
  const parts = [
    `cluster ${word}`,
    `${health.nodesUp} of ${plural(health.nodes, 'node')} up`,
    `${plural(health.shards, 'shard')}, replication ${health.replication}`,
  ];
  if (without > 0) parts.push(`${plural(without, 'shard')} without a leader`);
  if (health.shardsGrowing > 0) parts.push(`${health.shardsGrowing} growing`);
  const problems = health.problems.map(problem => `  ${paint(screen, 'yellow', '!')} ${problem}`);
  return [parts.join('   '), ...problems].join('\n');
}

export function renderOverview(
  health: ClusterState,
  nodes: readonly NodeRow[],
  shards: readonly ShardRow[],
  screen: Screen,
): string {
  const sum = (count: (shard: ShardRow) => number): number =>
    shards.reduce((total, shard) => total + count(shard), 0);
  const waiting = sum(shard => shard.waiting);
  const running = sum(shard => shard.running);
  const settled = sum(shard => shard.settled);
  const shown = nodes.slice(0, 12).map(node => {
    const load = loadPercent(node);
    const state = node.state === 'up' ? `load ${load ?? '?'}%` : node.state;
    return `  ${oneLine(node.name)}  ${node.tier}  ${state}  ${node.running} running`;
  });
  if (nodes.length > shown.length) shown.push(`  and ${nodes.length - shown.length} more`);
  return [
    renderHealth(health, screen),
    `tasks  ${waiting} waiting   ${running} running   ${settled} settled`,
    ...shown,
  ].join('\n');
}
