/** Which tasks are asked for, by listings and by exports of the history. */
import type { Consistency, TaskState, TaskView } from '../model/task.ts';

/** What is not said matches every task. */
export interface TaskFilter {
  readonly states?: readonly TaskState[] | undefined;
  readonly tenant?: string | undefined;
  readonly namePrefix?: string | undefined;
  readonly orderKey?: string | undefined;
  /** Each of them. */
  readonly labels?: readonly (readonly [name: string, value: string])[] | undefined;
  /** Submitted then or later, and before: by the instants in their IDs. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Settled then or later, and before. */
  readonly settledSinceMs?: number | undefined;
  readonly settledUntilMs?: number | undefined;
}

/** Settled tasks, shard by shard, the oldest of each first. */
export interface HistoryQuery extends TaskFilter {
  /** Opaque, from the page before. */
  readonly cursor?: string | undefined;
  readonly consistency?: Consistency | undefined;
}

export interface HistoryPage {
  /** Without the output that outcomes carry. */
  readonly tasks: readonly TaskView[];
  /** Missing on the last page. */
  readonly cursor?: string | undefined;
  /** The shard that this page is of, where it did not answer: its other tasks are missing. */
  readonly missingShard?: number | undefined;
  /** The same where it was told of by a replica that no majority confirmed. */
  readonly staleShard?: number | undefined;
}
