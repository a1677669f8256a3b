/** An attempt: one execution of a task on one node, and how it ended. */
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import { limits } from './limits.ts';

/**
 * A fence is the recovery epoch of its shard times this, plus the number of the assignment within
 * its task: whatever is given out after a recovery is above whatever was given out before. Where
 * nothing was ever recovered the two numbers are the same.
 */
const fencesPerEpoch = 2 ** 32;
/** Highest epoch: its fences are the last safe integers. */
export const epochMax = 2 ** 21 - 1;

/** The number of the assignment: the fence without its epoch. */
export const attemptOf = (fence: number): number => fence % fencesPerEpoch;

/** The fence after `newest`, which is 0 before the first, in a shard of this epoch. */
export const nextFence = (newest: number, epoch: number): number =>
  Math.max(newest, epoch * fencesPerEpoch + attemptOf(newest)) + 1;

/** Append-only: the number on disk is the position. */
export const outcomeKinds = [
  'succeeded',
  /** Ended by itself with a code other than 0, or by a signal nobody here sent. */
  'failed',
  /** Over the execution cap. */
  'timedOut',
  'cancelled',
  /** Its node or supervisor is gone, or its lease ended. Does not count against `attempts`. */
  'lost',
  /** The process could not be started: no such file, not executable, bad directory. */
  'startFailed',
  'outOfMemory',
  'outputTooLarge',
] as const;
export type OutcomeKind = (typeof outcomeKinds)[number];

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  /** Wall clock of the node that ran it. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly userCpuMs: number;
  readonly systemCpuMs: number;
  readonly peakMemoryBytes: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly outputTruncated: boolean;
  /** Last bytes of the output, at most `limits.outcomeTailBytes`, as text. */
  readonly tail: string;
  /** What it left in its TSCHED_OUTPUT file for the tasks that wait for it, as text. */
  readonly output?: string | undefined;
  /** One sentence for a person, where the kind does not say it all. */
  readonly message: string;
  /** Of a `lost` one: its node says that the supervisor ended while the process ran under it. */
  readonly supervisorLost?: boolean | undefined;
}

/** Without what cluster version 3 brought; an outcome that has none of it is written so. */
const plainVersion = 1;
const markedVersion = 2;

/** An outcome told by the shard, not by the node: what it used is not known. */
export function systemOutcome(kind: OutcomeKind, atMs: number, message: string): Outcome {
  return {
    kind,
    startedAtMs: 0,
    endedAtMs: atMs,
    userCpuMs: 0,
    systemCpuMs: 0,
    peakMemoryBytes: 0,
    stdoutBytes: 0,
    stderrBytes: 0,
    outputTruncated: false,
    tail: '',
    message,
  };
}

/** Three bytes for each that is no UTF-8. */
const outputTextMax = 3 * limits.handedOnBytesMax;

export function writeOutcome(writer: ByteWriter, outcome: Outcome): void {
  // Version 2 is written only where it says more: programs without it read all others.
  const { supervisorLost, output } = outcome;
  const isMarked = supervisorLost === true || output !== undefined;
  writer.u8(isMarked ? markedVersion : plainVersion).u8(outcomeKinds.indexOf(outcome.kind));
  writer.optional(outcome.exitCode, (w, code) => w.u8(code & 0xff));
  writer.optional(outcome.signal, (w, signal) => w.text(signal));
  writer.varint(outcome.startedAtMs).varint(outcome.endedAtMs);
  writer.varint(outcome.userCpuMs).varint(outcome.systemCpuMs).varint(outcome.peakMemoryBytes);
  writer.varint(outcome.stdoutBytes).varint(outcome.stderrBytes).bool(outcome.outputTruncated);
  writer.text(outcome.tail).text(outcome.message);
  if (isMarked) writer.bool(supervisorLost === true).optional(output, (w, text) => w.text(text));
}

export function readOutcome(reader: ByteReader): Outcome {
  const version = reader.u8();
  if (version !== plainVersion && version !== markedVersion) {
    throw new DecodeError(`outcome: version ${version}, this program reads ${markedVersion}`);
  }
  const kind = outcomeKinds[reader.u8()];
  if (kind === undefined) throw new DecodeError('unknown outcome');
  const outcome = {
    kind,
    exitCode: reader.optional(r => r.u8()),
    signal: reader.optional(r => r.text(32)),
    startedAtMs: reader.varint(),
    endedAtMs: reader.varint(),
    userCpuMs: reader.varint(),
    systemCpuMs: reader.varint(),
    peakMemoryBytes: reader.varint(),
    stdoutBytes: reader.varint(),
    stderrBytes: reader.varint(),
    outputTruncated: reader.bool(),
    tail: reader.text(limits.outcomeTailBytes * 4),
    message: reader.text(4_096),
  };
  if (version === plainVersion) return outcome;
  const supervisorLost = reader.bool() || undefined;
  return { ...outcome, supervisorLost, output: reader.optional(r => r.text(outputTextMax)) };
}
