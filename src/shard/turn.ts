/**
 * What the commands share while one log entry is applied: the state, who asked, what they leave.
 */
import type { Actor, ItemReply } from '../model/command.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';
import type { Effect } from './effects.ts';
import { lookup, type ShardState } from './state.ts';

export interface Turn {
  readonly state: ShardState;
  readonly actor: Actor;
  readonly effects: Effect[];
  /** Some task began to wait. */
  readyChanged: boolean;
  /** Something is to be delivered to another shard. */
  messagesChanged: boolean;
}

export const accept = (taskId: TaskId, repeated = false): ItemReply => ({
  ok: true,
  taskId,
  repeated,
});

export const refuse = (taskId: TaskId, code: ErrorCode, message: string): ItemReply => ({
  ok: false,
  taskId,
  code,
  message,
});

/** The refusal for an ID that is not that of an unsettled task. */
export function refuseMissing(taskId: TaskId, found: number): ItemReply {
  return found === lookup.settled
    ? refuse(taskId, 'alreadySettled', 'the task is settled')
    : refuse(taskId, 'unknownTask', 'no task of this shard has this ID');
}
