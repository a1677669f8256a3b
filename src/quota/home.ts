/**
 * The budget of one tenant at its home: the leader of the shard that the tenant's name hashes to.
 * Entry nodes ask for permits here and spend them within `leaseMs` of asking.
 *
 * Why no second is handed out twice. Permits run in at the tenant's rate from the moment at which
 * this node began to lead, into an empty bucket, and an answer hands out only what had run in when
 * the question came; it is given once a majority has confirmed, after that moment, that this node
 * leads. A later leader was elected after that confirmation, so its seconds begin later. What was
 * in the bucket of the leader before is lost, not handed out again.
 *
 * What an hour may have is taken from the shard's log before it is handed out, in pieces
 * (`hourPiece`): a later leader finds it counted, and what was left of a piece is lost.
 *
 * Nodes that this one cannot reach may be spending their own share (`entry.ts`): a share for each
 * of them does not run in here.
 */
import { Bucket } from './bucket.ts';

/** How long after asking for them permits may be spent. */
export const leaseMs = 1_000;
/** An hour's budget is taken from the log in about as many pieces. */
const hourPieces = 60;
/** Waiting tasks are reported with this delay at most: grants of so long are counted on top. */
const reportedAfterMs = 3_000;
/** A node that found the budget empty is not to ask again at once. */
const pauseMsMin = 50;

/** What a plan says of submits. */
export interface SubmitLimits {
  readonly perSecond: number | undefined;
  readonly burst: number | undefined;
  readonly perHour: number | undefined;
  readonly waiting: number | undefined;
}

/** Which limit it was. */
export type LimitKind = 'second' | 'hour' | 'waiting';

export interface Question {
  /** When it came, on the clock that began with this leadership. */
  readonly atMs: number;
  readonly limits: SubmitLimits;
  /** Tasks that have to be let in together, one number each, in order. */
  readonly units: readonly number[];
  /** Permits beyond those, for what is expected next. */
  readonly ahead: number;
  /** Nodes of the cluster, and how many of them cannot be reached. */
  readonly nodes: number;
  readonly absent: number;
  /** Tasks of the tenant that wait, as last reported. */
  readonly waiting: number;
}

export interface Grant {
  /** For the units, and for what comes next. */
  readonly permits: number;
  /** Of the first unit that was not let in: which limit, and when there may be room. */
  readonly refused?: { readonly limit: LimitKind; readonly retryMs: number } | undefined;
}

export class HomeBudget {
  readonly #bucket: Bucket;
  /** Of the hour: taken from the log and not handed out yet. */
  #hourInHand = 0;
  /** Handed out lately, newest last: not among the waiting tasks that were reported. */
  #granted: { readonly atMs: number; readonly count: number }[] = [];

  /** `beganMs`: when this node began to lead the shard. */
  constructor(beganMs: number) {
    this.#bucket = new Bucket(beganMs);
  }

  /** How much of the hour has to be taken from the log before this question; 0 for nothing. */
  hourPiece(question: Pick<Question, 'limits' | 'units' | 'ahead'>, hourLeft: number): number {
    const { perHour } = question.limits;
    if (perHour === undefined) return 0;
    const wanted = question.units.reduce((sum, unit) => sum + unit, question.ahead);
    if (wanted <= this.#hourInHand) return 0;
    const piece = Math.max(wanted - this.#hourInHand, Math.ceil(perHour / hourPieces));
    return Math.max(0, Math.min(piece, hourLeft));
  }

  /** So much of the hour is in the log now. */
  hourTaken(count: number): void {
    this.#hourInHand += count;
  }

  /** `hourWaitMs`: until the hour has room for a unit that does not fit it now. */
  answer(question: Question, hourWaitMs: (unit: number) => number | undefined): Grant {
    const { atMs, limits } = question;
    const rate = this.#rate(question);
    const burst = limits.burst ?? limits.perSecond ?? 0;
    if (limits.perSecond !== undefined) this.#bucket.fill(atMs, rate, burst);
    const waitingRoom = this.#waitingRoom(question);
    const room = (): number =>
      Math.min(
        limits.perSecond === undefined ? Number.MAX_SAFE_INTEGER : this.#bucket.permits,
        limits.perHour === undefined ? Number.MAX_SAFE_INTEGER : this.#hourInHand,
        waitingRoom - permits,
      );
    let permits = 0;
    let refused: Grant['refused'];
    const take = (count: number): void => {
      permits += count;
      if (limits.perSecond !== undefined) this.#bucket.take(count);
      if (limits.perHour !== undefined) this.#hourInHand -= count;
    };
    for (const unit of question.units) {
      if (unit <= room()) take(unit);
      else refused ??= this.#refusal(unit, rate, limits, waitingRoom - permits, hourWaitMs);
    }
    if (refused === undefined) take(Math.max(0, Math.min(question.ahead, room())));
    if (limits.waiting !== undefined && permits > 0) this.#granted.push({ atMs, count: permits });
    return { permits, refused };
  }

  /** The rate less the shares of nodes that may be spending them by themselves. */
  #rate({ limits, nodes, absent }: Question): number {
    const here = Math.max(0, nodes - absent) / Math.max(1, nodes);
    return (limits.perSecond ?? 0) * here;
  }

  #waitingRoom({ atMs, limits, waiting }: Question): number {
    if (limits.waiting === undefined) return Number.MAX_SAFE_INTEGER;
    this.#granted = this.#granted.filter(grant => grant.atMs > atMs - reportedAfterMs);
    const unreported = this.#granted.reduce((sum, grant) => sum + grant.count, 0);
    return Math.max(0, limits.waiting - waiting - unreported);
  }

  #refusal(
    unit: number,
    rate: number,
    limits: SubmitLimits,
    waitingRoom: number,
    hourWaitMs: (unit: number) => number | undefined,
  ): Grant['refused'] {
    const never = 3_600_000;
    if (limits.perSecond !== undefined && unit > this.#bucket.permits) {
      const waitMs = this.#bucket.waitMs(unit, rate) ?? never;
      return { limit: 'second', retryMs: Math.max(pauseMsMin, waitMs) };
    }
    if (unit > waitingRoom) return { limit: 'waiting', retryMs: reportedAfterMs };
    const waitMs = hourWaitMs(unit) ?? never;
    return { limit: 'hour', retryMs: Math.max(pauseMsMin, waitMs) };
  }
}
