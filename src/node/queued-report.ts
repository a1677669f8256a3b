/** What workers report of attempts, on its way into the log of a shard. */
import type { Outcome } from '../model/attempt.ts';
import type { NodeId } from '../model/ids.ts';
import type { AttemptRef, Refusal } from '../model/worker-protocol.ts';
import { keyOf } from './live.ts';
import { itemsMax } from './submit-queue.ts';

export interface QueuedReport {
  readonly ref: AttemptRef;
  readonly from: NodeId;
  readonly change:
    | { readonly kind: 'start'; readonly startedAtMs: number }
    | { readonly kind: 'finish'; readonly outcome: Outcome }
    | { readonly kind: 'unassign'; readonly why: Refusal };
}

type ReportKind = QueuedReport['change']['kind'];

const nameOf = (kind: ReportKind, { taskId, fence }: AttemptRef): string =>
  `${kind}.${keyOf(taskId, fence)}`;

/** Reports until they are applied; a repeat of one is dropped. */
export class ReportQueue {
  #waiting: QueuedReport[] = [];
  readonly #known = new Set<string>();

  add(report: QueuedReport): void {
    const name = nameOf(report.change.kind, report.ref);
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.#waiting.push(report);
  }

  /** Whether such a report of the attempt with this key is on its way through the log. */
  has(kind: ReportKind, key: string): boolean {
    return this.#known.has(`${kind}.${key}`);
  }

  /** Those that wait, by kind, as many together as one command takes. */
  take(): (readonly [kind: ReportKind, reports: readonly QueuedReport[]])[] {
    const reports = this.#waiting;
    this.#waiting = [];
    const taken: (readonly [ReportKind, readonly QueuedReport[]])[] = [];
    for (const kind of ['start', 'finish', 'unassign'] as const) {
      const mine = reports.filter(report => report.change.kind === kind);
      for (let from = 0; from < mine.length; from += itemsMax) {
        taken.push([kind, mine.slice(from, from + itemsMax)]);
      }
    }
    return taken;
  }

  done(reports: readonly QueuedReport[]): void {
    for (const { ref, change } of reports) this.#known.delete(nameOf(change.kind, ref));
  }
}

/** Replies to `start` that say that the attempt is over for its shard. */
export const overCodes: ReadonlySet<string> = new Set([
  'badRequest',
  'alreadySettled',
  'unknownTask',
]);
