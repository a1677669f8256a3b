/**
 * What apply tells the leader beside the replies: hints about work that may be due now. They may be
 * lost with the leader; `liveAttempts()` and the ready queue are the truth a new one starts from.
 */
import type { ItemReply } from '../model/command.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { TaskState } from '../model/task.ts';

export type Effect =
  /** To be dispatched to its node. */
  | { readonly kind: 'assigned'; readonly taskId: TaskId; readonly fence: number }
  /** Its node is to end the attempt. */
  | { readonly kind: 'cancelling'; readonly taskId: TaskId; readonly fence: number }
  /** Its node is to be told how the attempt goes on: whether it stands still, and its cap. */
  | { readonly kind: 'controlled'; readonly taskId: TaskId; readonly fence: number }
  /** What the leader reserved for it is free again; its worker may forget it. */
  | {
      readonly kind: 'attemptEnded';
      readonly taskId: TaskId;
      readonly fence: number;
      readonly node: NodeId;
    }
  | { readonly kind: 'settled'; readonly taskId: TaskId; readonly state: TaskState }
  /** It had not started by its start bound. */
  | { readonly kind: 'boundMissed'; readonly taskId: TaskId }
  /** The leader has a schedule to look after. */
  | { readonly kind: 'scheduleCreated' }
  | { readonly kind: 'workflowSettled'; readonly workflowId: TaskId }
  /** There is something to deliver to another shard. At most once per apply. */
  | { readonly kind: 'messagesChanged' }
  /** Some task began to wait, ready or backing off. At most once per apply. */
  | { readonly kind: 'readyChanged' };

export interface Applied {
  /** One for each item of the command, in order. */
  readonly replies: readonly ItemReply[];
  readonly effects: readonly Effect[];
}
