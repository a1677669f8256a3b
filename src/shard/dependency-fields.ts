/** Fields of a task's row that say what it waits for, and why it never ran. */
import { type ByteReader, type ByteWriter, DecodeError } from '../model/bytes.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { type AbortCause, causeKinds, type Dependency } from './memory/task-detail.ts';

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

export function writeDependency(writer: ByteWriter, dependency: Readonly<Dependency>): void {
  writer.varint(dependency.unmet).bool(dependency.anyFailed);
  writer.list(dependency.awaited, (w, id) => w.text(id));
  writer.list(dependency.inputs, (w, { name, text }) => w.text(name).text(text));
}

export const readDependency = (reader: ByteReader): Dependency => ({
  unmet: reader.varint(),
  anyFailed: reader.bool(),
  awaited: reader.list(readId, limits.afterMax),
  inputs: reader.list(
    r => ({ name: r.text(limits.nameBytesMax), text: r.text(3 * limits.handedOnBytesMax) }),
    limits.afterMax,
  ),
});

export function writeCause(writer: ByteWriter, { kind, parent }: AbortCause): void {
  writer.u8(causeKinds.indexOf(kind)).optional(parent, (w, id) => w.text(id));
}

export function readCause(reader: ByteReader): AbortCause {
  const kind = causeKinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('unknown cause of an abort');
  return { kind, parent: reader.optional(readId) };
}
