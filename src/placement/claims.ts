/**
 * Room that is kept for tasks that wait for it (a shadow reservation, with backfill), so that a
 * large task is not starved by small ones that always fit: what comes after it may take the room of
 * its node only where that does not delay it as far as is known. That is: where enough is left
 * beside it, or where the execution cap ends before the caps of what runs there say that it could
 * start. Without caps nothing is known to end, and only what is left beside it is given away. For a
 * gang room is kept on several nodes (`gang-claims.ts`), and is needed when the last of them has
 * it.
 *
 * Claims are made anew with every plan. They are told to the other leaders with the advertisement
 * of this node, which keep the room for whoever is urgent, and else for the tenant that holds the
 * smaller share of the cluster, by what each leader knows of that: so what becomes free goes to
 * who is due most, and not to the leader that looks first.
 */
import type { Claim } from '../model/advertisement.ts';
import { limits } from '../model/limits.ts';
import type { NodeView } from '../model/planning.ts';
import { type Resources, resourceNames, timesResources } from '../model/resources.ts';
import { type Offer, shareOut } from './gang-claims.ts';
import type { Next } from './order.ts';
import { type Amounts, amountsOf, copiesIn, type Room } from './room.ts';

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
  /** Of another leader: it holds only against what comes after it. */
  readonly foreign: Claim | undefined;
  /** What ends on the node until the claim can be met. */
  readonly freed: Amounts;
  /** Until then the room is not needed, as far as caps tell; 0 where nobody knows. */
  readonly lentUntilMs: number;
}

/** What the plan before this one kept, and what runs. */
export interface ClaimOptions {
  readonly before: readonly Claim[];
  readonly running: (node: string) => readonly Running[];
}

const nothing: Amounts = resourceNames.map(() => 0);

export class Claims {
  readonly #byRoom = new Map<Room, Kept[]>();
  readonly made: Claim[] = [];
  /** Tasks and gangs that room is kept for. */
  claimants = 0;
  /** What a tenant holds for its weight, now. */
  readonly #shareOf: (tenant: string) => number;

  constructor(
    rooms: readonly Room[],
    foreign: readonly Claim[],
    shareOf: (tenant: string) => number,
  ) {
    this.#shareOf = shareOf;
    if (foreign.length === 0) return;
    const byNode = new Map(rooms.map(room => [room.view.advertisement.node, room]));
    for (const claim of foreign) {
      const room = byNode.get(claim.node);
      if (room === undefined) continue;
      // What runs there for that leader, and so when it needs the room, is not known here.
      this.#keep(room, {
        amounts: amountsOf(claim),
        foreign: claim,
        freed: nothing,
        lentUntilMs: 0,
      });
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
    return kept.filter(({ foreign }) => foreign === undefined || this.#isAgainst(foreign, next));
  }

  /** The order of `order.ts`, but for priorities, which count within a tenant. */
  #isAgainst({ tenant, urgent, boundMs }: Claim, next: Next): boolean {
    if (urgent !== next.urgent) return urgent;
    const earlier = boundMs < next.task.boundMs;
    if (urgent || tenant === next.lane.tenant) return earlier;
    const [theirs, ours] = [this.#shareOf(tenant), this.#shareOf(next.lane.tenant)];
    return theirs === ours ? earlier : theirs < ours;
  }

  /** Whether nothing is kept there against this task. */
  isFree(room: Room, next: Next): boolean {
    return this.#byRoom.size === 0 || this.#against(room, next).length === 0;
  }

  /** What ends before it is needed may have all of it. */
  #isLent(against: readonly Kept[], { task: { capMs } }: Next, nowMs: number): boolean {
    return capMs > 0 && against.every(({ lentUntilMs }) => nowMs + capMs + slackMs <= lentUntilMs);
  }

  /** What is left beside what is kept, once that has all that it waits for. */
  #beside(room: Room, against: readonly Kept[]): number[] {
    return room.total.map((total, position) => {
      let free = room.freeOf(position);
      let kept = 0;
      for (const { amounts: claimed, freed } of against) {
        free += freed[position] ?? 0;
        kept += claimed[position] ?? 0;
      }
      // What has just ended may be free on its node already while it still runs for this leader.
      return Math.min(free, total) - kept;
    });
  }

  /** Whether the task may take room there, which it fits, and delays nobody before it. */
  admits(room: Room, amounts: Amounts, next: Next, nowMs: number): boolean {
    if (this.#byRoom.size === 0) return true;
    const against = this.#against(room, next);
    if (against.length === 0 || this.#isLent(against, next, nowMs)) return true;
    const beside = this.#beside(room, against);
    return amounts.every((wanted, position) => wanted === 0 || wanted <= beside[position]!);
  }

  /** How many of a gang may take room there now. */
  copies(room: Room, amounts: Amounts, next: Next, nowMs: number): number {
    if (!room.open || !room.fits(amounts)) return 0;
    const against = this.#against(room, next);
    const copies = room.copiesLeft(amounts);
    if (against.length === 0 || this.#isLent(against, next, nowMs)) return copies;
    return Math.max(0, Math.min(copies, copiesIn(amounts, this.#beside(room, against))));
  }

  /**
   * Keeps room for a task that fits nowhere now, on the node that lacks least of it; where the plan
   * before this one did, so that what has become free there is not given away. False where every
   * node keeps room for others.
   */
  make(next: Next, rooms: readonly Room[], amounts: Amounts, options: ClaimOptions): boolean {
    const open = rooms.filter(room => this.isFree(room, next));
    if (open.length === 0) return false;
    const mine = options.before.filter(({ boundMs }) => boundMs === next.task.boundMs);
    const known = open.find(({ view }) => mine.some(({ node }) => node === nodeOf(view)));
    const room = known ?? open.reduce((a, b) => (b.lacks(amounts) < a.lacks(amounts) ? b : a));
    this.#add(next, [{ room, amounts, request: next.lane.demand.request }], options);
    return true;
  }

  /** The same for `count` tasks of a gang, on several nodes; all of it or nothing. */
  makeForGang(next: Next, rooms: readonly Room[], count: number, options: ClaimOptions): boolean {
    const { request } = next.lane.demand;
    const amounts = amountsOf({ request });
    const before = new Map<string, number>();
    for (const claim of options.before) {
      if (claim.boundMs !== next.task.boundMs) continue;
      before.set(claim.node, copiesIn(amounts, amountsOf(claim)));
    }
    const offers = rooms.map(room => this.#offer(room, next, amounts, before));
    const shares = shareOut(offers, count) ?? [];
    const parts = rooms.flatMap((room, at): Part[] => {
      const copies = shares[at] ?? 0;
      if (copies === 0) return [];
      const all = amounts.map(amount => amount * copies);
      return [{ room, amounts: all, request: timesResources(request, copies) }];
    });
    if (parts.length === 0 || this.made.length + parts.length > limits.claimedNodesMax) {
      return false;
    }
    this.#add(next, parts, options);
    return true;
  }

  /** What a room can keep for a gang beside what it keeps for others. */
  #offer(room: Room, next: Next, amounts: Amounts, before: ReadonlyMap<string, number>): Offer {
    const against = this.#against(room, next);
    const kept = nothing.map((_, at) =>
      against.reduce((sum, { amounts: claimed }) => sum + (claimed[at] ?? 0), 0),
    );
    const copiesOf = (have: (at: number) => number): number =>
      copiesIn(
        amounts,
        kept.map((taken, at) => Math.max(0, have(at) - taken)),
      );
    return {
      most: copiesOf(at => room.total[at] ?? 0),
      free: copiesOf(at => room.freeOf(at)),
      before: before.get(nodeOf(room.view)) ?? 0,
      lacks: copies => room.lacks(amounts.map((amount, at) => amount * copies + kept[at]!)),
    };
  }

  /** Keeps room in all of these until the last of them has as much. */
  #add(next: Next, parts: readonly Part[], { running }: ClaimOptions): void {
    const waits = parts.map(({ room, amounts }) =>
      waitFor(room, amounts, running(nodeOf(room.view))),
    );
    const isKnown = waits.every(({ atMs }) => atMs !== undefined);
    const lentUntilMs = isKnown ? Math.max(...waits.map(({ atMs = 0 }) => atMs)) : 0;
    const { urgent } = next;
    const { tenant } = next.lane;
    const { boundMs } = next.task;
    parts.forEach(({ room, amounts, request }, at) => {
      this.#keep(room, { amounts, foreign: undefined, freed: waits[at]!.freed, lentUntilMs });
      this.made.push({ node: nodeOf(room.view), request, tenant, urgent, boundMs });
    });
    this.claimants++;
  }
}

/** What one node keeps for a task, or of a gang. */
interface Part {
  readonly room: Room;
  readonly amounts: Amounts;
  readonly request: Resources;
}

const nodeOf = ({ advertisement }: NodeView): string => advertisement.node;

/**
 * When the amounts would fit, if what runs ends with its cap, and what has ended by then; 0 where
 * they fit now, `undefined` where caps do not tell.
 */
function waitFor(
  room: Room,
  amounts: Amounts,
  running: readonly Running[],
): { freed: Amounts; atMs: number | undefined } {
  const freed = [...nothing];
  const fits = (): boolean =>
    amounts.every((wanted, at) => wanted === 0 || wanted <= room.freeOf(at) + (freed[at] ?? 0));
  if (fits()) return { freed: nothing, atMs: 0 };
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
  return { freed: nothing, atMs: undefined };
}
