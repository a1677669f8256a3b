/**
 * What a node and its supervisor say to each other over the unix socket in the data directory.
 *
 * A frame is a length (4 bytes, big-endian), then JSON. The supervisor speaks first: what it has,
 * in pieces (`found`), then `hello`, with the version; a node that does not know the version ends
 * that supervisor and starts its own. Messages are about attempts, not about processes, so that
 * another way to start them fits behind the same words. Both sides ping; a supervisor that is
 * silent for 2 s is ended by the node.
 */
import type { Outcome } from '../../model/attempt.ts';
import type { ShardId } from '../../model/ids.ts';
import type { Run } from '../../model/spec.ts';
import type { AttemptControl } from '../../model/worker-protocol.ts';
import type { AttemptKey, AttemptOrder, FoundAttempt, RunnerHello } from '../../ports/runner.ts';

export const supervisorVersion = 1;
/** Largest frame: a script in base64, its environment and arguments fit several times. */
export const frameBytesMax = 4 * 1024 * 1024;
export const pingEveryMs = 500;
/** Attempts told in one frame: with the longest tails and outputs they are below its bound. */
export const foundPerFrame = 8;
/** Silence of a supervisor after which the node ends it (DESIGN 9). */
export const silenceMs = 2_000;
/** A supervisor without attempts and without a node ends itself after this. */
export const abandonedMs = 60_000;

/** `Run` as JSON can carry it: the bytes of a script in base64. */
export type WireRun =
  | Extract<Run, { kind: 'command' }>
  | { readonly kind: 'script'; name: string; base64: string; args: readonly string[] };

export interface WireOrder extends Omit<AttemptOrder, 'run'> {
  readonly run: WireRun;
}

export type ToSupervisor =
  | { readonly kind: 'launch'; readonly order: WireOrder }
  | { readonly kind: 'end'; readonly key: AttemptKey; readonly outcomeKind: 'cancelled' | 'lost' }
  | {
      readonly kind: 'renew';
      readonly shards: readonly { readonly shard: ShardId; readonly sentBootMs: number }[];
    }
  | { readonly kind: 'acknowledge'; readonly key: AttemptKey }
  /** One of an earlier program takes no notice of it: then nothing is ever said to be stopped. */
  | { readonly kind: 'control'; readonly key: AttemptKey; readonly control: AttemptControl }
  | { readonly kind: 'ping' }
  /** Ends all attempts, then the supervisor. */
  | { readonly kind: 'shutdown' };

export type FromSupervisor =
  | { readonly kind: 'found'; readonly found: readonly FoundAttempt[] }
  /** `found` is empty: it came before. */
  | { readonly kind: 'hello'; readonly version: number; readonly hello: RunnerHello }
  | { readonly kind: 'started'; readonly key: AttemptKey; readonly startedAtMs: number }
  /**
   * Sent once the exit record is durable; once per connection, and in every `hello` until
   * acknowledged.
   */
  | { readonly kind: 'ended'; readonly key: AttemptKey; readonly outcome: Outcome }
  | { readonly kind: 'controlled'; readonly key: AttemptKey; readonly control: AttemptControl }
  /** Another process of the node has connected; this one is not to interfere. */
  | { readonly kind: 'replaced' }
  | { readonly kind: 'pong' };

export function encodeFrame(message: ToSupervisor | FromSupervisor): Buffer {
  const text = JSON.stringify(message);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, 4);
  return frame;
}

/** Cuts a byte stream into messages; throws where a frame is over the bound or is not JSON. */
export class FrameReader<T> {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): T[] {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const messages: T[] = [];
    let offset = 0;
    while (bytes.length - offset >= 4) {
      const length = bytes.readUInt32BE(offset);
      if (length > frameBytesMax) throw new RangeError(`frame of ${length} bytes`);
      if (bytes.length - offset - 4 < length) break;
      messages.push(JSON.parse(bytes.toString('utf8', offset + 4, offset + 4 + length)) as T);
      offset += 4 + length;
    }
    this.#pending = bytes.subarray(offset);
    return messages;
  }
}

export function toWireOrder(order: AttemptOrder): WireOrder {
  const { run, ...rest } = order;
  if (run.kind === 'script') {
    const base64 = Buffer.from(run.bytes).toString('base64');
    return { ...rest, run: { kind: 'script', name: run.name, base64, args: run.args } };
  }
  if (run.kind === 'null') throw new TypeError('a null run has no process');
  return { ...rest, run };
}
