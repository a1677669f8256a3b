/**
 * What one shard tells another (DESIGN 4). A message is addressed to a slot, kept in the outbox of
 * the shard that sends it until the other has acknowledged it, repeated until then, and taken once:
 * its number grows within its shard, and the receiver remembers the newest that it took.
 */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { limits } from './limits.ts';
import { type ParentEnd, parentEnds } from './when.ts';

export type ShardMessage =
  /** `child` waits for `parent`: tell its shard how the parent ended, once it has. */
  | { readonly kind: 'await'; readonly child: TaskId; readonly parent: TaskId }
  /** `parent` has ended, or never will: told to children of one slot. */
  | {
      readonly kind: 'ended';
      readonly parent: TaskId;
      readonly end: ParentEnd;
      readonly output?: string | undefined;
      readonly children: readonly TaskId[];
    };

/** Append-only: the number on the disk is the position, from 1. */
const kinds: readonly ShardMessage['kind'][] = ['await', 'ended'];

/** How a settled task ended: read from its row by a leader, for those that ask too late. */
export interface SettledEnd {
  readonly end: ParentEnd;
  readonly output?: string | undefined;
}

/** A message as it is delivered. */
export interface Delivery {
  /** Above every number that its shard gave out before. */
  readonly sequence: number;
  readonly message: ShardMessage;
  /** Of an `await` for a task that has settled. */
  readonly settled?: SettledEnd | undefined;
}

/** Children that one `ended` names at most. */
export const childrenMax = 256;
const outputTextMax = 3 * limits.handedOnBytesMax;

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

function writeEnd(writer: ByteWriter, { end, output }: SettledEnd): void {
  writer.u8(parentEnds.indexOf(end)).optional(output, (w, text) => w.text(text));
}

function readEnd(reader: ByteReader): SettledEnd {
  const end = parentEnds[reader.u8()];
  if (end === undefined) throw new DecodeError('unknown end of a task');
  return { end, output: reader.optional(r => r.text(outputTextMax)) };
}

export function writeMessage(writer: ByteWriter, message: ShardMessage): void {
  writer.u8(kinds.indexOf(message.kind) + 1);
  if (message.kind === 'await') {
    writer.text(message.child).text(message.parent);
    return;
  }
  writer.text(message.parent);
  writeEnd(writer, message);
  writer.list(message.children, (w, id) => w.text(id));
}

/** Throws `DecodeError` for a kind that only a newer program knows. */
export function readMessage(reader: ByteReader): ShardMessage {
  const kind = kinds[reader.u8() - 1];
  if (kind === 'await') {
    return { kind, child: readId(reader), parent: readId(reader) };
  }
  if (kind === undefined) throw new DecodeError('message of an unknown kind');
  const parent = readId(reader);
  return { kind, parent, ...readEnd(reader), children: reader.list(readId, childrenMax) };
}

export function writeDelivery(writer: ByteWriter, delivery: Delivery): void {
  writer.varint(delivery.sequence);
  writeMessage(writer, delivery.message);
  writer.optional(delivery.settled, writeEnd);
}

export const readDelivery = (reader: ByteReader): Delivery => ({
  sequence: reader.varint(),
  message: readMessage(reader),
  settled: reader.optional(readEnd),
});

/** The task that a message is mainly about. */
export const subjectOf = (message: ShardMessage): TaskId => message.parent;
