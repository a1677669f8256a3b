/**
 * What people said of a task after it was submitted, in its row: who paused it, what was changed
 * of it, and whether its live attempt stands still. Tagged fields of `record.ts`.
 */
import type { ByteReader, ByteWriter } from '../model/bytes.ts';
import { limits } from '../model/limits.ts';
import { readOverrides, writeOverrides } from '../model/spec-overrides.ts';
import type { PauseRecord, UpdateRecord } from './memory/task-detail.ts';

export interface ControlRecord {
  readonly pause?: PauseRecord | undefined;
  readonly update?: UpdateRecord | undefined;
  /** Of the live attempt: its worker has stopped its processes. */
  readonly suspended?: boolean | undefined;
}

/** Append-only; a retired one stays listed. */
const controlTags = { pause: 25, update: 26, suspended: 27 } as const;

const textBytesMax = limits.specBytesMax;

/** The fields that a task has, by ascending tag. */
export function controlExtras(
  record: ControlRecord,
): (readonly [tag: number, write: (body: ByteWriter) => void])[] {
  const { pause, update } = record;
  const extras: (readonly [number, (body: ByteWriter) => void])[] = [];
  if (pause !== undefined) {
    extras.push([
      controlTags.pause,
      w => w.text(pause.by).varint(pause.atMs).text(pause.reason).bool(pause.suspend),
    ]);
  }
  if (update !== undefined) {
    extras.push([
      controlTags.update,
      w => writeOverrides(w.text(update.by).varint(update.atMs), update.overrides),
    ]);
  }
  if (record.suspended === true) extras.push([controlTags.suspended, w => w.bool(true)]);
  return extras;
}

/** Reads one field into `draft`; false for a tag that is none of these. */
export function readControlExtra(
  tag: number,
  body: ByteReader,
  draft: { -readonly [Name in keyof ControlRecord]: ControlRecord[Name] },
): boolean {
  switch (tag) {
    case controlTags.pause:
      draft.pause = {
        by: body.text(textBytesMax),
        atMs: body.varint(),
        reason: body.text(textBytesMax),
        suspend: body.bool(),
      };
      return true;
    case controlTags.update:
      draft.update = {
        by: body.text(textBytesMax),
        atMs: body.varint(),
        overrides: readOverrides(body),
      };
      return true;
    case controlTags.suspended:
      draft.suspended = body.bool();
      return true;
    default:
      return false;
  }
}
