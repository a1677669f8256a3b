/** What a client is answered: the words of a shard, and of failures on the way to it. */
import { DecodeError } from '../model/bytes.ts';
import type { ItemReply } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import type { ShardId, TaskId } from '../model/ids.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';

export function codeOf(error: unknown): ErrorCode {
  if (error instanceof TschedError) return error.code;
  // An answer came, but not one that can be read.
  if (error instanceof DecodeError) return 'outcomeUnknown';
  throw error;
}

export function refusalOf(code: ErrorCode, message: string, retryAfterMs?: number): SubmitReply {
  return { ok: false, code, message, retryAfterMs };
}

export const notTried = (shard: ShardId, id: TaskId): SubmitReply => ({
  ok: false,
  id,
  code: 'noQuorum',
  message: `shard ${shard} did not take what came before this in the same request`,
  retryAfterMs: 1_000,
});

export function failureOf(error: unknown, id: TaskId): SubmitReply & { readonly ok: false } {
  if (!(error instanceof TschedError)) throw error;
  return {
    ok: false,
    id,
    code: error.code,
    message: error.message,
    retryAfterMs: error.detail.retryAfterMs,
  };
}

export function toReply(result: ItemReply | undefined, shard: ShardId, id: TaskId): SubmitReply {
  if (result === undefined) return { ok: false, id, code: 'internal', message: 'no reply' };
  return result.ok
    ? {
        ok: true,
        id: result.taskId,
        shard,
        repeated: result.repeated,
        startBoundMs: result.startBoundMs,
      }
    : {
        ok: false,
        id,
        code: result.code,
        message: result.message,
        retryAfterMs: result.retryAfterMs,
      };
}
