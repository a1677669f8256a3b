/**
 * The commands with which people take hold of a task that was submitted, as data: pausing, resuming
 * and updating it, and what a worker says of an attempt that it stopped. See `command.ts`.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { readOverrides, type SpecOverrides, writeOverrides } from './spec-overrides.ts';

interface TaskItems {
  readonly items: readonly { readonly taskId: TaskId }[];
}

export type ControlBody =
  /** Not placed until it is resumed; with `suspend`, what runs is stopped where it is. */
  | (TaskItems & { readonly kind: 'pause'; readonly suspend: boolean; readonly reason: string })
  | (TaskItems & { readonly kind: 'resume' })
  | (TaskItems & { readonly kind: 'update'; readonly overrides: SpecOverrides })
  /** The worker of an attempt has stopped its processes, or let them go on. */
  | {
      readonly kind: 'suspended';
      readonly items: readonly {
        readonly taskId: TaskId;
        readonly fence: number;
        readonly suspended: boolean;
      }[];
    };

export type ControlKind = ControlBody['kind'];

export const controlKindNumbers: Readonly<Record<ControlKind, number>> = {
  pause: 40,
  resume: 41,
  update: 42,
  suspended: 43,
};

const reasonBytesMax = 4_096;

export function writeControl(writer: ByteWriter, command: ControlBody): void {
  if (command.kind === 'suspended') {
    writer.list(command.items, (w, item) =>
      w.text(item.taskId).varint(item.fence).bool(item.suspended),
    );
    return;
  }
  writer.list(command.items, (w, item) => w.text(item.taskId));
  if (command.kind === 'pause') writer.bool(command.suspend).text(command.reason);
  if (command.kind === 'update') writeOverrides(writer, command.overrides);
}

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

export function readControl(reader: ByteReader, kind: ControlKind): ControlBody {
  if (kind === 'suspended') {
    const items = reader.list(r => ({
      taskId: readId(r),
      fence: r.varint(),
      suspended: r.bool(),
    }));
    return { kind, items };
  }
  const items = reader.list(r => ({ taskId: readId(r) }));
  switch (kind) {
    case 'pause':
      return { kind, items, suspend: reader.bool(), reason: reader.text(reasonBytesMax) };
    case 'resume':
      return { kind, items };
    case 'update':
      return { kind, items, overrides: readOverrides(reader) };
  }
}
