/** What a shard's leader says to the planner of its node. */
import type { NodeId, TaskId } from '../model/ids.ts';
import type { ReadyBatch } from '../model/planning.ts';
import type { Refusal, ToWorker } from '../model/worker-protocol.ts';

export interface PlacementDesk {
  /** Something changed that a plan may come of. */
  wake(): void;
  /** The worker of `node` has spoken of the task: it stands in its own numbers from now on. */
  answered(taskId: TaskId, node: NodeId): void;
  /** Where others reach the tasks of a node. */
  hostOf(node: NodeId): string;
  accepted(node: NodeId): void;
  /** An attempt that was accepted is over, so long after it was assigned. */
  ended(durationMs: number): void;
  /** Whether the task was placed where it should find room at once, and is to be refused else. */
  startsAtOnce(taskId: TaskId): boolean;
  refused(node: NodeId, why: Refusal): void;
  /** Sends to a worker; `encode` is called only where that takes bytes. */
  toWorker(node: NodeId, message: ToWorker, encode: () => Uint8Array): void;
}

/** What tenants may still start. */
export interface PlacementRooms {
  /**
   * The batches without what would go over the quota of its tenant; `placing` are the tasks whose
   * assignment is on its way through the log.
   */
  trim(
    batches: readonly ReadyBatch[],
    placing: { has(id: TaskId): boolean },
  ): readonly ReadyBatch[];
  /** Whether ready tasks of the tenant wait because of its quota. */
  holdsBack(tenant: string): boolean;
}
