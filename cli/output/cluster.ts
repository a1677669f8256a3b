/** The cluster: health, the table of shards, and the few lines of `tsched status` without an ID. */
import type { RecoveryPlan } from '../node-program.ts';
import type { ClusterState, MovesRow, NodeRow, ShardRow } from '../wire.ts';
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

const otherStates = (health: ClusterState): string[] =>
  Object.entries(health.nodesByState ?? {})
    .filter(([state]) => state !== 'up')
    .map(([state, count]) => `${count} ${oneLine(state)}`);

/** `shard 3   +node-d (voter later)  -node-a`, a line each, and how much that is. */
export function renderMoves(moves: readonly MovesRow[], screen: Screen): string {
  if (moves.length === 0) return 'nothing to move: every replica is where it should be';
  const columns: readonly Column<MovesRow>[] = [
    {
      title: 'SHARD',
      right: true,
      cell: move => (move.shard === 0 ? 'registry' : String(move.shard)),
    },
    { title: 'ADD', cell: move => names(move.adds) },
    { title: 'REMOVE', cell: move => names(move.removes) },
    { title: 'PROMOTE', cell: move => names(move.promotes) },
    { title: 'DEMOTE', cell: move => names(move.demotes) },
  ];
  const copies = moves.reduce((sum, move) => sum + move.adds.length, 0);
  return `${renderTable(columns, moves, screen)}\n${plural(copies, 'replica')} to be copied`;
}

const recoveryWords = {
  keep: 'has its majority: left as it is',
  recover: 'goes on with this store alone',
  elsewhere: 'goes on with another store',
} as const;

/** What `cluster unsafe-recover` does, or would do: a line for each group not left alone. */
export function renderRecovery(plan: RecoveryPlan, carriedOut: boolean, screen: Screen): string {
  type Row = RecoveryPlan['groups'][number];
  const columns: readonly Column<Row>[] = [
    {
      title: 'SHARD',
      right: true,
      cell: row => (row.group === 0 ? 'registry' : String(row.group)),
    },
    { title: 'VOTERS', cell: row => names(row.voters) },
    { title: 'SURVIVOR', cell: row => oneLine(row.survivor ?? '-') },
    { title: '', cell: row => recoveryWords[row.plan] },
  ];
  const rows = plan.groups.filter(row => row.plan !== 'keep');
  const kept = plan.groups.length - rows.length;
  const done = carriedOut ? 'recovered' : 'to recover';
  const recovered = rows.filter(row => row.plan === 'recover').length;
  const elsewhere = [
    ...new Set(rows.flatMap(row => (row.plan === 'elsewhere' ? [row.survivor ?? '?'] : []))),
  ];
  const lines = [
    `node ${oneLine(plan.node)}; lost: ${names(plan.lost)}`,
    ...(rows.length === 0 ? [] : [renderTable(columns, rows, screen)]),
    `${plural(recovered, 'group')} ${done}, ${kept} left as they are`,
  ];
  if (elsewhere.length > 0) {
    lines.push(`run it on the data directory of ${names(elsewhere)} too, with the same --lost`);
  }
  return lines.join('\n');
}

const names = (nodes: readonly string[]): string => nodes.map(oneLine).join(',') || '-';

export function renderHealth(health: ClusterState, screen: Screen): string {
  const word = health.ok ? paint(screen, 'green', 'ok') : paint(screen, 'red', 'NOT OK');
  const without = health.shardsWithoutLeader.length;
  const parts = [
    `cluster ${word}`,
    [`${health.nodesUp} of ${plural(health.nodes, 'node')} up`, ...otherStates(health)].join(', '),
    `${plural(health.shards, 'shard')}, replication ${health.replication}`,
  ];
  if (health.clusterVersion !== undefined) parts.push(`version ${health.clusterVersion}`);
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
