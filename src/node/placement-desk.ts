/** What a shard's leader says to the planner of its node. */
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Resources } from '../model/resources.ts';
import type { Refusal, ToWorker } from '../model/worker-protocol.ts';

export interface PlacementDesk {
  /** Something changed that a plan may come of. */
  wake(): void;
  /** The worker of `node` has spoken of the task: it stands in its own numbers from now on. */
  answered(taskId: TaskId, node: NodeId): void;
  /** Where others reach the tasks of a node. */
  hostOf(node: NodeId): string;
  accepted(node: NodeId): void;
  refused(node: NodeId, why: Refusal): void;
  /** Sends to a worker; `encode` is called only where that takes bytes. */
  toWorker(node: NodeId, message: ToWorker, encode: () => Uint8Array): void;
}

/** Ready tasks that are offered to the planner. */
export interface OfferedBatch {
  readonly demand: { readonly request: Resources };
  tasks: {
    readonly id: TaskId;
    readonly tenant: string;
    readonly readySinceMs: number;
    /** Started together with it, itself included. */
    readonly gang?: readonly unknown[] | undefined;
  }[];
}

/** What tenants may still start. */
export interface PlacementRooms {
  /**
   * Takes out of the batches what would go over the quota of its tenant; `placing` are the tasks
   * whose assignment is on its way through the log.
   */
  trim(batches: readonly OfferedBatch[], placing: { has(id: TaskId): boolean }): void;
  /** Whether ready tasks of the tenant wait because of its quota. */
  holdsBack(tenant: string): boolean;
}
