/**
 * What clients were told stays true: an acknowledged task is committed, settles, and exists until
 * it expires, which it does only after it settled; one idempotency key is one task at a time; what
 * was read as settled is never read otherwise again, and what expired is never read.
 */
import type { ShardCommand } from '../../../src/model/command.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { TaskView } from '../../../src/model/task.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import type { SimCluster } from '../cluster.ts';
import { check } from '../violation.ts';
import type { AttemptsChecker } from './attempts.ts';
import type { Checker } from './checker.ts';
import type { CommittedListener } from './committed.ts';

/** What a read that begins now has to show, or more. */
export interface Expectation {
  readonly exists: boolean;
  readonly expired: boolean;
  readonly settled: string | undefined;
  readonly fence: number;
}

export class AcknowledgedChecker implements Checker, CommittedListener {
  readonly acknowledged = new Set<TaskId>();
  #answered: TaskId[] = [];
  #reads: (() => void)[] = [];
  readonly #byKey = new Map<string, TaskId>();
  readonly #committed = new Set<TaskId>();
  readonly #cancelled = new Set<TaskId>();
  readonly #expired = new Set<TaskId>();
  /** Keys that were answered with another task than before. */
  readonly #replaced: { readonly key: string; readonly other: TaskId; readonly id: TaskId }[] = [];

  applied(
    _group: number,
    command: ShardCommand,
    _effects: readonly Effect[],
    machine: ShardMachine,
  ): void {
    if (command.kind === 'expire') this.#expire(command.items, machine);
    if (command.kind !== 'submit' && command.kind !== 'replay') return;
    // A repeat of a key makes no task of its own.
    for (const { id } of command.items) {
      if (!machine.record(id)) continue;
      check(!this.#expired.has(id), () => `task ${id} expired and is there again`);
      this.#committed.add(id);
    }
  }

  #expire(items: readonly { readonly taskId: TaskId }[], machine: ShardMachine): void {
    for (const { taskId } of items) {
      if (machine.knows(taskId)) continue;
      check(this.#committed.has(taskId), () => `task ${taskId} expired and was never there`);
      this.#expired.add(taskId);
    }
  }

  get expired(): ReadonlySet<TaskId> {
    return this.#expired;
  }

  /** A submit was answered with this ID. */
  submitted(id: TaskId, key: string | undefined): void {
    this.acknowledged.add(id);
    this.#answered.push(id);
    if (key === undefined) return;
    const other = this.#byKey.get(key);
    if (other !== undefined && other !== id) this.#replaced.push({ key, other, id });
    this.#byKey.set(key, id);
  }

  /** Answers are given in the event that applied; what was committed is written down after it. */
  afterEvent(): void {
    for (const id of this.#answered.splice(0)) {
      check(this.#committed.has(id), () => `task ${id} was acknowledged before it was committed`);
    }
    for (const { key, other, id } of this.#replaced.splice(0)) {
      // An answer that took long may be about the one before.
      if (this.#expired.has(id)) this.#byKey.set(key, other);
      else check(this.#expired.has(other), () => `key ${key} has tasks ${other} and ${id}`);
    }
    for (const judge of this.#reads.splice(0)) judge();
  }

  cancelled(id: TaskId): void {
    this.#cancelled.add(id);
  }

  /**
   * What some replica has applied when a read begins: whoever answers it without saying that it may
   * be stale has asked a majority after that, and must know as much.
   */
  expectation(attempts: AttemptsChecker, id: TaskId): Expectation {
    return {
      exists: this.#committed.has(id),
      expired: this.#expired.has(id),
      settled: attempts.settled.get(id),
      fence: attempts.fenceOf(id),
    };
  }

  /** A read was answered in the event that is under way: it is judged at its end. */
  read(id: TaskId, expected: Expectation, view: TaskView | undefined): void {
    this.#reads.push(() => this.judge(id, expected, view));
  }

  /** A read has its answer; `undefined` where it says that there is no such task. */
  judge(id: TaskId, expected: Expectation, view: TaskView | undefined): void {
    if (view === undefined) {
      const gone = !expected.exists || this.#expired.has(id);
      check(gone, () => `task ${id} is committed and not known any more`);
      return;
    }
    if (view.stale) return;
    check(!expected.expired, () => `task ${id} had expired before it was read`);
    check(
      expected.settled === undefined || expected.settled === view.state,
      () => `task ${id} was ${expected.settled} before it was read as ${view.state}`,
    );
    const fence = view.attempts[view.attempts.length - 1]?.attempt ?? 0;
    check(
      fence >= expected.fence || view.state === 'waiting' || view.state === 'cancelled',
      () => `task ${id} was assigned with fence ${expected.fence} and read with ${fence}`,
    );
  }

  final(cluster: SimCluster): void {
    for (const id of this.acknowledged) {
      const state = cluster.attempts.settled.get(id);
      check(state !== undefined, () => `acknowledged task ${id} did not settle`);
      if (!this.#cancelled.has(id)) continue;
      const ended = state === 'cancelled' || state === 'succeeded';
      check(ended, () => `task ${id} was to be cancelled and ended ${state}`);
    }
  }
}
