/**
 * What a shard's leader and the worker of a node say to each other. Every message may be lost,
 * repeated or late; the pair (task, fence) says which attempt it is about. A leader repeats
 * `dispatch` until the attempt started, was refused or ended: what a node had accepted but not
 * started is gone when the node restarts, and an attempt is never started twice.
 *
 *   leader                                worker
 *   dispatch  ───────────────────────▶   accepted | refused
 *   go (gang) ───────────────────────▶   (answers `ready` first, again and again)
 *             ◀───────────────────────   report: started, ended (until acknowledged)
 *   reportAck ───────────────────────▶
 *   endAttempt (cancel) ─────────────▶   ... report: ended
 *   control (suspend, cap) ──────────▶   controlled, once it is so
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

/** What an attempt is given of a task that its own waited for. */
export interface TaskInput {
  /** Of the file: the parent's name in the workflow, else its ID. */
  readonly name: string;
  readonly text: string;
}

/** Most attempts asked about in one renewal. */
export const asksMax = 256;
/** A host and a port. */
const peerBytesMax = 300;

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
  /** Its task was paused before it was started. */
  'paused',
] as const;
export type Refusal = (typeof refusals)[number];

/** How an attempt is to go on: what a worker is told, and what it says once that is so. */
export interface AttemptControl {
  /** All its processes stand still. */
  readonly suspended: boolean;
  /** In the place of the cap of its spec, 0 for none; the spec's own where it is missing. */
  readonly capMs?: number | undefined;
}

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
      readonly inputs?: readonly TaskInput[] | undefined;
      /**
       * To be refused where it would have to wait for room: another node has some, as far as the
       * leader knows. Told from cluster version 3 on.
       */
      readonly immediate?: boolean | undefined;
    })
  /** To one of a gang, once all of it are `ready`, with where each runs, by rank. */
  | (AttemptRef & { readonly kind: 'go'; readonly peers: readonly string[] })
  | (AttemptRef & { readonly kind: 'end'; readonly reason: 'cancelled' | 'superseded' })
  | (AttemptRef & { readonly kind: 'reportAck'; readonly ended: boolean })
  | (AttemptRef & AttemptControl & { readonly kind: 'control' })
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
  /**
   * One of a gang has its room, and waits for the others; with its first port, where it has one.
   */
  | (AttemptRef & { readonly kind: 'ready'; readonly port?: number | undefined })
  | (AttemptRef & { readonly kind: 'refused'; readonly why: Refusal })
  | (AttemptRef & { readonly kind: 'started'; readonly startedAtMs: number })
  | (AttemptRef & { readonly kind: 'ended'; readonly outcome: Outcome })
  | (AttemptRef & AttemptControl & { readonly kind: 'controlled' })
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
const toWorkerKinds = ['dispatch', 'end', 'reportAck', 'renewAck', 'go', 'control'] as const;
const fromWorkerKinds = [
  'accepted',
  'refused',
  'started',
  'ended',
  'renew',
  'ready',
  'controlled',
] as const;

function writeRef(writer: ByteWriter, ref: AttemptRef): void {
  writer.varint(ref.shard).text(ref.taskId).varint(ref.fence);
}

function writeNames(writer: ByteWriter, names: readonly AttemptName[]): void {
  writer.list(names, (w, name) => w.text(name.taskId).varint(name.fence));
}

function readNames(reader: ByteReader): AttemptName[] {
  return reader.list(r => ({ taskId: r.text(32) as TaskId, fence: r.varint() }), asksMax);
}

function writeControl(writer: ByteWriter, { suspended, capMs }: AttemptControl): void {
  writer.bool(suspended).optional(capMs, (w, cap) => w.varint(cap));
}

const readControl = (reader: ByteReader): AttemptControl => ({
  suspended: reader.bool(),
  capMs: reader.optional(r => r.varint()),
});

function readRef(reader: ByteReader): AttemptRef {
  return { shard: reader.varint(), taskId: reader.text(32) as TaskId, fence: reader.varint() };
}

function writeInput(writer: ByteWriter, { name, text }: TaskInput): void {
  writer.text(name).text(text);
}

const readInput = (reader: ByteReader): TaskInput => ({
  name: reader.text(limits.nameBytesMax),
  text: reader.text(3 * limits.inputBytesMax),
});

/** Tags of what only some dispatches carry: append-only; a retired one stays listed. */
const dispatchExtra = { inputs: 1, boundInMs: 2, immediate: 4 } as const;

type Dispatch = ToWorker & { readonly kind: 'dispatch' };
type Extra = readonly [tag: number, write: (body: ByteWriter) => void];

/** Nothing is written where there is none: programs of cluster version 2 know no extras. */
function writeDispatchExtras(writer: ByteWriter, { inputs, boundInMs, immediate }: Dispatch): void {
  const extras: Extra[] = [];
  if (inputs?.length) extras.push([dispatchExtra.inputs, w => w.list(inputs, writeInput)]);
  if (boundInMs !== undefined) extras.push([dispatchExtra.boundInMs, w => w.varint(boundInMs)]);
  if (immediate === true) extras.push([dispatchExtra.immediate, w => w]);
  if (extras.length === 0) return;
  writer.list(extras, (w, [tag, write]) => w.varint(tag).nested(write));
}

function readDispatchExtras(
  reader: ByteReader,
): Pick<Dispatch, 'inputs' | 'boundInMs' | 'immediate'> {
  const extras: { inputs?: TaskInput[]; boundInMs?: number; immediate?: boolean } = {};
  if (reader.remaining === 0) return extras;
  const found = reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes());
    if (tag === dispatchExtra.inputs) extras.inputs = body.list(readInput, limits.inputsMax);
    else if (tag === dispatchExtra.boundInMs) extras.boundInMs = body.varint();
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
    case 'control':
      writeRef(writer, message);
      writeControl(writer, message);
      break;
    case 'go':
      writeRef(writer, message);
      writer.list(message.peers, (w, peer) => w.text(peer));
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
    case 'control':
      return { kind, ...readRef(reader), ...readControl(reader) };
    case 'go':
      return {
        kind,
        ...readRef(reader),
        peers: reader.list(r => r.text(peerBytesMax), limits.gangMax),
      };
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
  else if (message.kind === 'ready') writer.optional(message.port, (w, port) => w.u16(port));
  else if (message.kind === 'started') writer.varint(message.startedAtMs);
  else if (message.kind === 'ended') writeOutcome(writer, message.outcome);
  else if (message.kind === 'controlled') writeControl(writer, message);
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
    case 'ready':
      return { kind, ...readRef(reader), port: reader.optional(r => r.u16()) };
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
    case 'controlled':
      return { kind, ...readRef(reader), ...readControl(reader) };
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
