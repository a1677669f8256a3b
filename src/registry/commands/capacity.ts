/**
 * Whether the cluster can do without a node: how many voters each shard would be left with. Fewer
 * than it has now is for an administrator to decide, none at all is refused in any case.
 */
import { type GroupId, type NodeId, registryGroup } from '../../model/ids.ts';
import { sizeFor } from '../../model/replication.ts';
import type { RegistryNode, RegistryState } from '../state.ts';

const rangesMax = 8;

/** `1-3, 7`: shards in a message; the first few ranges of many. */
export function rangesOf(groups: readonly GroupId[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const group of [...groups].sort((left, right) => left - right)) {
    const open = ranges[ranges.length - 1];
    if (open !== undefined && open[1] + 1 === group) open[1] = group;
    else ranges.push([group, group]);
  }
  const shown = ranges
    .slice(0, rangesMax)
    .map(([first, last]) => (first === last ? String(first) : `${first}-${last}`));
  return `${shown.join(', ')}${ranges.length > rangesMax ? ', ...' : ''}`;
}

/** Nodes other than `without` that may be given replicas. */
function openNodes(state: RegistryState, without: NodeId): number {
  let count = 0;
  for (const node of state.nodes.values()) {
    if (node.id !== without && node.state === 'up' && node.weight > 0) count += 1;
  }
  return count;
}

/** A sentence about what is lost without `node`; `undefined` where nothing is. */
export function objectionTo(
  state: RegistryState,
  node: RegistryNode,
  force: boolean,
): string | undefined {
  const open = openNodes(state, node.id);
  if (open === 0) {
    return `${node.name} is the last node that is up: nobody could take over what it holds`;
  }
  const replication = state.cluster?.replication ?? 1;
  const { voters: left } = sizeFor(open, replication);
  // What a shard that is still growing is to have counts as what it has.
  const { voters: due } = sizeFor(open + 1, replication);
  const shrinking = state
    .groupsByNumber()
    .filter(({ group, voters }) => group !== registryGroup && Math.max(voters.length, due) > left);
  const [first] = shrinking;
  if (force || first === undefined) return undefined;
  const shards = rangesOf(shrinking.map(({ group }) => group));
  const now = Math.max(first.voters.length, due);
  return (
    `without ${node.name} only ${open} node${open === 1 ? '' : 's'} could hold replicas: shards ` +
    `${shards} would go from ${now} voters to ${left}; ` +
    'add a node first, or say --force'
  );
}
