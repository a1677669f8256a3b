/**
 * Room that is kept for tasks that wait for it (a shadow reservation, with backfill), so that a
 * large task is not starved by small ones that always fit: what comes after it may take the room of
 * its node only where that does not delay it as far as is known. That is: where enough is left
 * beside it, or where the execution cap ends before the caps of what runs there say that it could
 * start. Without caps nothing is known to end, and only what is left beside it is given away.
 *
 * Claims are made anew with every plan. They are told to the other leaders with the advertisement
 * of this node, which keep the room for whoever is urgent, and else has the earlier bound.
 */
import type { Claim } from '../model/advertisement.ts';
import type { NodeView } from '../model/planning.ts';
import { resourceNames } from '../model/resources.ts';
import type { Next } from './order.ts';
import type { Amounts, Room } from './room.ts';

/** An urgent task claims room at once, another when it has waited this long in vain. */
export const claimAfterMs = 5_000;
/** From the assignment to the start of a process, and from its cap to its end: hoped, not known. */
const slackMs = 2_000;

/** An attempt that runs on a node, as far as this leader knows. */
export interface Running {
  readonly amounts: Amounts;
  /** When its cap ends it, by the clock of the state; `undefined` without a cap. */
  readonly endsMs: number | undefined;
}

interface Kept {
  readonly amounts: Amounts;
  /** Of another leader: it holds only against what has the later bound. */
  readonly foreign: Claim | undefined;
  /** What ends on the node until the claim can be met, and when that is. */
  readonly freed: Amounts;
  readonly atMs: number;
}

const nothing: Amounts = resourceNames.map(() => 0);

const isAgainst = ({ urgent, boundMs }: Claim, next: Next): boolean =>
  urgent === next.urgent ? boundMs < next.task.boundMs : urgent;

export class Claims {
  readonly #byRoom = new Map<Room, Kept[]>();
  readonly made: Claim[] = [];

  constructor(rooms: readonly Room[], foreign: readonly Claim[]) {
    if (foreign.length === 0) return;
    const byNode = new Map(rooms.map(room => [room.view.advertisement.node, room]));
    for (const claim of foreign) {
      const room = byNode.get(claim.node);
      if (room === undefined) continue;
      const amounts = resourceNames.map(name => claim.request[name]);
      this.#keep(room, { amounts, foreign: claim, freed: nothing, atMs: Number.POSITIVE_INFINITY });
    }
  }

  #keep(room: Room, kept: Kept): void {
    const known = this.#byRoom.get(room);
    if (known === undefined) this.#byRoom.set(room, [kept]);
    else known.push(kept);
  }

  #against(room: Room, next: Next): readonly Kept[] {
    const kept = this.#byRoom.get(room);
    if (kept === undefined) return [];
    return kept.filter(({ foreign }) => foreign === undefined || isAgainst(foreign, next));
  }

  /** Whether nothing is kept there against this task. */
  isFree(room: Room, next: Next): boolean {
    return this.#byRoom.size === 0 || this.#against(room, next).length === 0;
  }

  /** Whether the task may take room there, which it fits, and delays nobody before it. */
  admits(room: Room, amounts: Amounts, next: Next, nowMs: number): boolean {
    if (this.#byRoom.size === 0) return true;
    const against = this.#against(room, next);
    if (against.length === 0) return true;
    const { capMs } = next.task;
    if (capMs > 0 && against.every(({ atMs }) => nowMs + capMs + slackMs <= atMs)) return true;
    return amounts.every((wanted, position) => {
      if (wanted === 0) return true;
      let free = room.freeOf(position);
      let kept = 0;
      for (const { amounts: claimed, freed } of against) {
        free += freed[position] ?? 0;
        kept += claimed[position] ?? 0;
      }
      // What has just ended may be free on its node already while it still runs for this leader.
      return wanted <= Math.min(free, room.total[position] ?? 0) - kept;
    });
  }

  /**
   * Keeps room for a task that fits nowhere now, on the node that lacks least of it; `before` is
   * where the plan before this one did, so that what has become free there is not given away.
   */
  make(
    next: Next,
    rooms: readonly Room[],
    amounts: Amounts,
    options: {
      readonly before: readonly Claim[];
      readonly running: (node: string) => readonly Running[];
    },
  ): void {
    const open = rooms.filter(room => this.isFree(room, next));
    if (open.length === 0) return;
    const mine = options.before.filter(({ boundMs }) => boundMs === next.task.boundMs);
    const known = open.find(({ view }) => mine.some(({ node }) => node === nodeOf(view)));
    const room = known ?? open.reduce((a, b) => (b.lacks(amounts) < a.lacks(amounts) ? b : a));
    const node = nodeOf(room.view);
    const running = options.running(node);
    this.#keep(room, { amounts, foreign: undefined, ...waitFor(room, amounts, running) });
    const { urgent, task } = next;
    this.made.push({ node, request: next.lane.demand.request, urgent, boundMs: task.boundMs });
  }
}

const nodeOf = ({ advertisement }: NodeView): string => advertisement.node;

/** When the amounts would fit, if what runs ends with its cap; and what has ended by then. */
function waitFor(
  room: Room,
  amounts: Amounts,
  running: readonly Running[],
): { freed: Amounts; atMs: number } {
  const freed = [...nothing];
  const fits = (): boolean =>
    amounts.every((wanted, at) => wanted === 0 || wanted <= room.freeOf(at) + (freed[at] ?? 0));
  const capped = running.flatMap(one =>
    one.endsMs === undefined ? [] : [{ amounts: one.amounts, endsMs: one.endsMs }],
  );
  capped.sort((left, right) => left.endsMs - right.endsMs);
  for (const { amounts: held, endsMs } of capped) {
    held.forEach((amount, at) => {
      freed[at] = (freed[at] ?? 0) + amount;
    });
    if (fits()) return { freed, atMs: endsMs };
  }
  return { freed: nothing, atMs: Number.POSITIVE_INFINITY };
}
