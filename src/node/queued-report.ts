/** What workers report of attempts, on its way into the log of a shard. */
import type { Outcome } from '../model/attempt.ts';
import type { ItemReply, ShardCommandBody } from '../model/command.ts';
import type { NodeId } from '../model/ids.ts';
import type { AttemptRef, Refusal, ToWorker } from '../model/worker-protocol.ts';
import { background, type NodeContext } from './context.ts';
import { itemsMax } from './submit-queue.ts';

export interface QueuedReport {
  readonly ref: AttemptRef;
  readonly from: NodeId;
  readonly change:
    | { readonly kind: 'start'; readonly startedAtMs: number }
    | { readonly kind: 'finish'; readonly outcome: Outcome }
    | { readonly kind: 'unassign'; readonly why: Refusal }
    | { readonly kind: 'suspended'; readonly suspended: boolean };
}

type ReportKind = QueuedReport['change']['kind'];

/** In the order in which they go into the log. */
const kinds: readonly ReportKind[] = ['start', 'finish', 'unassign', 'suspended'];

/** Replies to `start` that say that the attempt is over for its shard. */
const overCodes: ReadonlySet<string> = new Set(['badRequest', 'alreadySettled', 'unknownTask']);

export interface ReportWays {
  readonly context: NodeContext;
  /** Stamps a command and puts it into the log. */
  readonly propose: (body: ShardCommandBody) => Promise<readonly ItemReply[]>;
  readonly tell: (node: NodeId, message: ToWorker) => void;
}

/** The reports of one shard: those of one moment and kind share a log entry. */
export class ReportQueue {
  readonly #ways: ReportWays;
  #queued: QueuedReport[] = [];
  /** Those on their way through the log: repeats of them are dropped. */
  readonly #underWay = new Set<string>();

  constructor(ways: ReportWays) {
    this.#ways = ways;
  }

  /** False for a report that is on its way already. */
  add(report: QueuedReport): boolean {
    const key = keyOf(report.change.kind, report.ref);
    if (this.#underWay.has(key)) return false;
    this.#underWay.add(key);
    this.#queued.push(report);
    return true;
  }

  isUnderWay(kind: ReportKind, attempt: Pick<AttemptRef, 'taskId' | 'fence'>): boolean {
    return this.#underWay.has(keyOf(kind, attempt));
  }

  flush(): void {
    const reports = this.#queued;
    if (reports.length === 0) return;
    this.#queued = [];
    for (const kind of kinds) {
      const mine = reports.filter(report => report.change.kind === kind);
      for (let from = 0; from < mine.length; from += itemsMax) {
        const items = mine.slice(from, from + itemsMax);
        background(this.#ways.context, `report ${kind}`, this.#propose(kind, items));
      }
    }
  }

  async #propose(kind: ReportKind, reports: readonly QueuedReport[]): Promise<void> {
    const items = reports.map(({ ref, change }) => ({
      taskId: ref.taskId,
      fence: ref.fence,
      ...change,
    }));
    let replies: readonly ItemReply[];
    try {
      replies = await this.#ways.propose({ kind, items } as unknown as ShardCommandBody);
    } finally {
      for (const { ref } of reports) this.#underWay.delete(keyOf(kind, ref));
    }
    if (kind === 'unassign' || kind === 'suspended') return;
    // Whatever the reply was, the shard has decided: a stale report must not be repeated either.
    reports.forEach(({ ref, from }, position) => {
      this.#ways.tell(from, { kind: 'reportAck', ...ref, ended: kind === 'finish' });
      const reply = replies[position];
      // Nothing of it may live: the renewals of other attempts would keep it alive for ever.
      if (kind === 'start' && reply?.ok === false && overCodes.has(reply.code)) {
        this.#ways.tell(from, { kind: 'end', ...ref, reason: 'superseded' });
      }
    });
  }
}

const keyOf = (kind: ReportKind, attempt: Pick<AttemptRef, 'taskId' | 'fence'>): string =>
  `${kind}.${attempt.taskId}.${attempt.fence}`;
