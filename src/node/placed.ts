/**
 * The placements of a plan as the items that are proposed: by leader, the tasks of a gang together.
 */
import type { GangItem, PlacementItem } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type { Plan } from '../model/planning.ts';
import type { ShardLeader } from './shard-leader.ts';

interface Placed {
  readonly leader: ShardLeader;
  readonly items: PlacementItem[];
  readonly gangs: GangItem[];
}

export function byLeader(
  placements: Plan['placements'],
  leaderOf: ReadonlyMap<TaskId, ShardLeader>,
): Iterable<Placed> {
  const placed = new Map<ShardLeader, Placed>();
  const members = new Map<TaskId, PlacementItem[]>();
  for (const { taskId, node, nodeName, incarnation, gang } of placements) {
    const leader = leaderOf.get(taskId);
    if (leader === undefined) continue;
    const mine = placed.get(leader) ?? { leader, items: [], gangs: [] };
    placed.set(leader, mine);
    const item = { taskId, node, nodeName, incarnation };
    const others = gang && members.get(gang);
    if (gang === undefined) mine.items.push(item);
    else if (others) others.push(item);
    else {
      const begun = [item];
      members.set(gang, begun);
      mine.gangs.push({ members: begun });
    }
  }
  return placed.values();
}
