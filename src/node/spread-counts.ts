/** Where the tasks of groups that are to be spread live, of the shards that are led here. */
import type { NodeId } from '../model/ids.ts';
import type { Demand } from '../model/planning.ts';
import type { ShardMachine } from '../shard/machine.ts';

interface Placed {
  readonly node: NodeId;
  readonly demand: Demand;
}

/**
 * Live tasks by group and node: those of the shards, and those whose assignment is on its way
 * through the log. Only of the groups that `demands` name: nothing is counted where none does.
 */
export function spreadCounts(
  demands: Iterable<Demand>,
  machines: Iterable<ShardMachine>,
  onTheirWay: Iterable<Placed>,
): Map<string, Map<NodeId, number>> {
  const counts = new Map<string, Map<NodeId, number>>();
  for (const { spread } of demands) if (spread !== undefined) counts.set(spread.group, new Map());
  if (counts.size === 0) return counts;
  const count = ({ node, demand }: Placed): void => {
    const byNode = demand.spread && counts.get(demand.spread.group);
    byNode?.set(node, (byNode.get(node) ?? 0) + 1);
  };
  for (const machine of machines) for (const attempt of machine.liveAttempts()) count(attempt);
  for (const placed of onTheirWay) count(placed);
  return counts;
}
