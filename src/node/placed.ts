/** The placements of a plan, as they are proposed to the leaders of the shards. */
import type { GangItem, ItemReply, PlacementItem } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type { Plan } from '../model/planning.ts';
import type { Log } from '../ports/log.ts';
import type { ShardLeader } from './shard-leader.ts';

interface Placed {
  readonly leader: ShardLeader;
  readonly items: PlacementItem[];
  readonly gangs: GangItem[];
}

/** By leader, the tasks of a gang together. */
function byLeader(
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

/** Proposes them; `done` hears whether an assignment holds: of one task, or of all of a gang. */
export function propose(
  placements: Plan['placements'],
  leaderOf: ReadonlyMap<TaskId, ShardLeader>,
  log: Log,
  done: (tasks: readonly PlacementItem[], holds: boolean) => void,
): void {
  const wait = (
    { shard }: ShardLeader,
    replies: Promise<readonly ItemReply[]>,
    asked: readonly (readonly PlacementItem[])[],
  ): void => {
    replies.then(
      told => told.forEach((reply, position) => void done(asked[position]!, reply.ok)),
      (error: unknown) => {
        log.debug('an assignment was not recorded', { shard, why: String(error) });
        for (const tasks of asked) done(tasks, false);
      },
    );
  };
  for (const { leader, items, gangs } of byLeader(placements, leaderOf)) {
    const alone = items.map(item => [item]);
    const together = gangs.map(({ members }) => members);
    if (items.length > 0) wait(leader, leader.assign(items), alone);
    if (gangs.length > 0) wait(leader, leader.assignGangs(gangs), together);
  }
}
