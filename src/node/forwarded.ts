/** Submits and changes on their way from the node that took them to the leader of their shard. */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import {
  type Actor,
  decodeShardCommand,
  encodeShardCommand,
  type ItemReply,
  type ShardCommand,
} from '../model/command.ts';
import { type ErrorCode, isErrorCode } from '../model/errors.ts';
import type { ShardId, TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { TaskChange } from '../model/task-change.ts';
import type { SubmitBatch } from './submit-queue.ts';

/** The leader stamps it anew. */
export const encodeForwarded = (shard: ShardId, command: ShardCommand): Uint8Array =>
  new ByteWriter(512).varint(shard).bytes(encodeShardCommand(command)).finish();

export const encodeSubmit = (shard: ShardId, batch: SubmitBatch, actor: Actor): Uint8Array =>
  encodeForwarded(shard, { kind: 'submit', atMs: 0, actor, ...batch });

export const encodeChange = (shard: ShardId, change: TaskChange, actor: Actor): Uint8Array =>
  encodeForwarded(shard, { ...change, atMs: 0, actor });

export function decodeForwarded(payload: Uint8Array): {
  shard: ShardId;
  command: ShardCommand;
} {
  const reader = new ByteReader(payload);
  return { shard: reader.varint(), command: decodeShardCommand(reader.bytes(limits.rpcBytesMax)) };
}

/**
 * 2 says when what was taken should start, and when to try again what was not let in; it is read
 * from cluster version 3 on.
 */
const repliesVersion = { plain: 1, times: 2 } as const;

export function encodeReplies(replies: readonly ItemReply[], clusterVersion: number): Uint8Array {
  const version = clusterVersion < 3 ? repliesVersion.plain : repliesVersion.times;
  const writer = new ByteWriter(64 + replies.length * 32).u8(version);
  writer.list(replies, (w, reply) => {
    w.bool(reply.ok).text(reply.taskId);
    if (!reply.ok) {
      w.text(reply.code).text(reply.message);
      if (version === repliesVersion.times) w.varint(reply.retryAfterMs ?? 0);
      return;
    }
    w.bool(reply.repeated);
    if (version === repliesVersion.times) w.varint(reply.startBoundMs ?? 0);
  });
  return writer.finish();
}

export function decodeReplies(bytes: Uint8Array): ItemReply[] {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== repliesVersion.plain && version !== repliesVersion.times) {
    throw new DecodeError(`replies of version ${version}: written by a newer program`);
  }
  const readTime = (r: ByteReader): number | undefined =>
    version === repliesVersion.times ? r.varint() || undefined : undefined;
  return reader.list(r => {
    const ok = r.bool();
    const taskId = r.text(32) as TaskId;
    if (ok) return { ok, taskId, repeated: r.bool(), startBoundMs: readTime(r) };
    const code = knownCode(r.text(64));
    return { ok, taskId, code, message: r.text(4_096), retryAfterMs: readTime(r) };
  });
}

const knownCode = (code: string): ErrorCode => (isErrorCode(code) ? code : 'internal');
