/** Where the tasks of groups that are to be spread live, of the shards that are led here. */
import type { NodeId } from '../model/ids.ts';
import type { Demand, ReadyBatch } from '../model/planning.ts';
import type { ShardMachine } from '../shard/machine.ts';

interface Placed {
  readonly node: NodeId;
  readonly demand: Demand;
}

/**
 * Live tasks by group and node: those of the shards, and those whose assignment is on its way
 * through the log. Only of the groups that
 * `batches` ask for: nothing is counted where none does.
 */
export function spreadCounts(
  batches: Iterable<ReadyBatch>,
  leaders: Iterable<{ readonly machine: ShardMachine }>,
  onTheirWay: Iterable<Placed>,
): Map<string, Map<NodeId, number>> {
  const counts = new Map<string, Map<NodeId, number>>();
  for (const { lane } of batches) {
    if (lane.demand.spread !== undefined) counts.set(lane.demand.spread.group, new Map());
  }
  if (counts.size === 0) return counts;
  const count = ({ node, demand }: Placed): void => {
    const byNode = demand.spread && counts.get(demand.spread.group);
    byNode?.set(node, (byNode.get(node) ?? 0) + 1);
  };
  for (const { machine } of leaders) for (const one of machine.liveAttempts()) count(one);
  for (const placed of onTheirWay) count(placed);
  return counts;
}
