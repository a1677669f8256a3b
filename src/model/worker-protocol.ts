/**
 * What a shard's leader and the worker of a node say to each other. Every message may be lost,
 * repeated or late; the pair (task, fence) says which attempt it is about. A leader repeats
 * `dispatch` until the attempt started, was refused or ended: what a node had accepted but not
 * started is gone when the node restarts, and an attempt is never started twice.
 *
 *   leader                                worker
 *   dispatch  ───────────────────────▶   accepted | refused
 *             ◀───────────────────────   report: started, ended (until acknowledged)
 *   reportAck ───────────────────────▶
 *   endAttempt (cancel) ─────────────▶   ... report: ended
 *             ◀───────────────────────   renew(shard, incarnation, sequence, asks)
 *   renewAck(confirmed) ─────────────▶
 */
import { type Outcome, readOutcome, writeOutcome } from './attempt.ts';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import type { ShardId, TaskId } from './ids.ts';
import { limits } from './limits.ts';

export interface AttemptRef {
  readonly shard: ShardId;
  readonly taskId: TaskId;
  readonly fence: number;
}

/** An attempt where the shard is known from the context. */
export interface AttemptName {
  readonly taskId: TaskId;
  readonly fence: number;
}

/** Most attempts asked about in one renewal. */
export const asksMax = 256;

export const refusals = [
  /** Not enough of a resource, or the queue is full. */
  'noRoom',
  /** The dispatch names a supervisor that is gone. Nothing was started. */
  'wrongIncarnation',
  'draining',
  /** The lease of this shard is not live here, so nothing may start. */
  'noLease',
  /** It stood in this node's queue in vain: another node may have room by now. */
  'waitedTooLong',
  /** It offers fewer TCP ports, or cannot give any out for now. From cluster version 3 on. */
  'noPorts',
] as const;
export type Refusal = (typeof refusals)[number];

export type ToWorker =
  | (AttemptRef & {
      readonly kind: 'dispatch';
      /** Supervisor the assignment was made to. */
      readonly incarnation: string;
      /**
       * Sequence of the newest renewal of that supervisor which the leader had acknowledged when it
       * sent this, 0 for none: a worker that has heard of a newer one knows that this is late.
       */
      readonly renewed: number;
      readonly run: number;
      readonly arrayIndex?: number | undefined;
      /** `encodeSpec` bytes. */
      readonly spec: Uint8Array;
      /** What is left to its start bound, 0 once that is past. Told from cluster version 3 on. */
      readonly boundInMs?: number | undefined;
      /**
       * To be refused where it would have to wait for room: another node has some, as far as the
       * leader knows. Told from cluster version 3 on.
       */
      readonly immediate?: boolean | undefined;
    })
  | (AttemptRef & { readonly kind: 'end'; readonly reason: 'cancelled' | 'superseded' })
  | (AttemptRef & { readonly kind: 'reportAck'; readonly ended: boolean })
  | {
      readonly kind: 'renewAck';
      readonly shard: ShardId;
      readonly incarnation: string;
      /** Sequence of the request that is acknowledged. */
      readonly sequence: number;
      /**
       * Those of the request's `asks` that were assigned to this node and supervisor, with exactly
       * this fence, when the read round of the acknowledgement was done.
       */
      readonly confirmed: readonly AttemptName[];
    };

export type FromWorker =
  | (AttemptRef & { readonly kind: 'accepted' })
  | (AttemptRef & { readonly kind: 'refused'; readonly why: Refusal })
  | (AttemptRef & { readonly kind: 'started'; readonly startedAtMs: number })
  | (AttemptRef & { readonly kind: 'ended'; readonly outcome: Outcome })
  | {
      readonly kind: 'renew';
      readonly shard: ShardId;
      readonly incarnation: string;
      readonly sequence: number;
      /**
       * Attempts whose dispatch arrived while no lease was live here, or was sent before the leader
       * acknowledged the present one. A renewal alone must not start them: the dispatch may be
       * older than the leader's patience (a node that was stopped for a minute finds it in its
       * socket, a leader that was stopped sends it for a shard that another leads), so the leader
       * is asked whether they are still assigned.
       */
      readonly asks: readonly AttemptName[];
    };

const version = 1;
const toWorkerKinds = ['dispatch', 'end', 'reportAck', 'renewAck'] as const;
const fromWorkerKinds = ['accepted', 'refused', 'started', 'ended', 'renew'] as const;

function writeRef(writer: ByteWriter, ref: AttemptRef): void {
  writer.varint(ref.shard).text(ref.taskId).varint(ref.fence);
}

function writeNames(writer: ByteWriter, names: readonly AttemptName[]): void {
  writer.list(names, (w, name) => w.text(name.taskId).varint(name.fence));
}

function readNames(reader: ByteReader): AttemptName[] {
  return reader.list(r => ({ taskId: r.text(32) as TaskId, fence: r.varint() }), asksMax);
}

function readRef(reader: ByteReader): AttemptRef {
  return { shard: reader.varint(), taskId: reader.text(32) as TaskId, fence: reader.varint() };
}

/** Tags of what only some dispatches carry: append-only; a retired one stays listed. */
const dispatchExtra = { boundInMs: 2, immediate: 4 } as const;

type Dispatch = ToWorker & { readonly kind: 'dispatch' };
type Extra = readonly [tag: number, write: (body: ByteWriter) => void];

/** Nothing is written where there is none: programs of cluster version 2 know no extras. */
function writeDispatchExtras(writer: ByteWriter, { boundInMs, immediate }: Dispatch): void {
  const extras: Extra[] = [];
  if (boundInMs !== undefined) extras.push([dispatchExtra.boundInMs, w => w.varint(boundInMs)]);
  if (immediate === true) extras.push([dispatchExtra.immediate, w => w]);
  if (extras.length === 0) return;
  writer.list(extras, (w, [tag, write]) => w.varint(tag).nested(write));
}

function readDispatchExtras(reader: ByteReader): Pick<Dispatch, 'boundInMs' | 'immediate'> {
  const extras: { boundInMs?: number; immediate?: boolean } = {};
  if (reader.remaining === 0) return extras;
  const found = reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes());
    if (tag === dispatchExtra.boundInMs) extras.boundInMs = body.varint();
    else if (tag === dispatchExtra.immediate) extras.immediate = true;
    else throw new DecodeError(`dispatch: unknown extra ${tag}`);
    body.end('extra of a dispatch');
    return tag;
  });
  if (found.length === 0) throw new DecodeError('dispatch: an empty list of extras');
  return extras;
}

export function encodeToWorker(message: ToWorker): Uint8Array {
  const writer = new ByteWriter(128).u8(version).u8(toWorkerKinds.indexOf(message.kind));
  switch (message.kind) {
    case 'dispatch':
      writeRef(writer, message);
      writer.text(message.incarnation).varint(message.renewed).varint(message.run);
      writer.optional(message.arrayIndex, (w, index) => w.varint(index)).bytes(message.spec);
      writeDispatchExtras(writer, message);
      break;
    case 'end':
      writeRef(writer, message);
      writer.bool(message.reason === 'cancelled');
      break;
    case 'reportAck':
      writeRef(writer, message);
      writer.bool(message.ended);
      break;
    case 'renewAck':
      writer.varint(message.shard).text(message.incarnation).varint(message.sequence);
      writeNames(writer, message.confirmed);
      break;
  }
  return writer.finish();
}

/** Throws `DecodeError` for another version, an unknown kind or malformed bytes. */
export function decodeToWorker(bytes: Uint8Array): ToWorker {
  const reader = new ByteReader(bytes);
  reader.version(version, 'message to a worker');
  const message = readToWorker(reader);
  reader.end('message to a worker');
  return message;
}

function readToWorker(reader: ByteReader): ToWorker {
  const kind = toWorkerKinds[reader.u8()];
  switch (kind) {
    case 'dispatch':
      return {
        kind,
        ...readRef(reader),
        incarnation: reader.text(64),
        renewed: reader.varint(),
        run: reader.varint(),
        arrayIndex: reader.optional(r => r.varint()),
        spec: reader.bytesCopy(limits.specBytesMax),
        ...readDispatchExtras(reader),
      };
    case 'end':
      return { kind, ...readRef(reader), reason: reader.bool() ? 'cancelled' : 'superseded' };
    case 'reportAck':
      return { kind, ...readRef(reader), ended: reader.bool() };
    case 'renewAck':
      return {
        kind,
        shard: reader.varint(),
        incarnation: reader.text(64),
        sequence: reader.varint(),
        confirmed: readNames(reader),
      };
    default:
      throw new DecodeError('unknown message to a worker');
  }
}

export function encodeFromWorker(message: FromWorker): Uint8Array {
  const writer = new ByteWriter(128).u8(version).u8(fromWorkerKinds.indexOf(message.kind));
  if (message.kind === 'renew') {
    writer.varint(message.shard).text(message.incarnation).varint(message.sequence);
    writeNames(writer, message.asks);
    return writer.finish();
  }
  writeRef(writer, message);
  if (message.kind === 'refused') writer.u8(refusals.indexOf(message.why));
  else if (message.kind === 'started') writer.varint(message.startedAtMs);
  else if (message.kind === 'ended') writeOutcome(writer, message.outcome);
  return writer.finish();
}

/** Throws `DecodeError` for another version, an unknown kind or malformed bytes. */
export function decodeFromWorker(bytes: Uint8Array): FromWorker {
  const reader = new ByteReader(bytes);
  reader.version(version, 'message from a worker');
  const message = readFromWorker(reader);
  reader.end('message from a worker');
  return message;
}

function readFromWorker(reader: ByteReader): FromWorker {
  const kind = fromWorkerKinds[reader.u8()];
  switch (kind) {
    case 'accepted':
      return { kind, ...readRef(reader) };
    case 'refused': {
      const ref = readRef(reader);
      const why = refusals[reader.u8()];
      if (why === undefined) throw new DecodeError('unknown refusal');
      return { kind, ...ref, why };
    }
    case 'started':
      return { kind, ...readRef(reader), startedAtMs: reader.varint() };
    case 'ended':
      return { kind, ...readRef(reader), outcome: readOutcome(reader) };
    case 'renew':
      return {
        kind,
        shard: reader.varint(),
        incarnation: reader.text(64),
        sequence: reader.varint(),
        asks: readNames(reader),
      };
    default:
      throw new DecodeError('unknown message from a worker');
  }
}
