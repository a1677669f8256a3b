/** What a leader has to know of an attempt. */
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Demand } from '../model/planning.ts';

/** An attempt the leader answers for: it is dispatched, leased, and declared lost. */
export interface LiveAttempt {
  readonly taskId: TaskId;
  readonly fence: number;
  readonly run: number;
  readonly node: NodeId;
  readonly nodeName: string;
  readonly incarnation: string;
  readonly state: 'assigned' | 'running';
  /** Its node is to end it: somebody asked for that, or its gang runs again. */
  readonly ending: 'cancelled' | 'superseded' | undefined;
  readonly leaseMs: number;
  readonly assignedAtMs: number;
  readonly arrayIndex: number | undefined;
  /** Of its spec: 32 hexadecimal digits. */
  readonly digest: string;
  /** What it holds on its node. */
  readonly demand: Demand;
}
