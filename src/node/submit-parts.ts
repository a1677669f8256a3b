/**
 * What a submit carries to its shard: encoded specifications with their digests, in parts that fit
 * a request between nodes, and what a leader checks of those that come from elsewhere.
 */
import { hash } from 'node:crypto';
import { DecodeError } from '../model/bytes.ts';
import type { Actor, ItemReply, SubmitItem } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { clusterVersionOfSpec, decodeSpec, encodeSpec, type TaskSpec } from '../model/spec.ts';
import type { SubmitRequest } from '../ports/node-api.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { SubmitBatch } from './submit-queue.ts';

export interface Encoded {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface Routed {
  readonly position: number;
  readonly id: TaskId;
  readonly spec: Encoded;
  readonly request: SubmitRequest;
}

const digestOf = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(hash('sha256', bytes, 'buffer').subarray(0, 16));

export function encodeWithDigest(spec: TaskSpec): Encoded {
  const bytes = encodeSpec(spec);
  return { digest: digestOf(bytes), bytes };
}

/** What a task asks for that is run again: its key stays with the first, its delay is over. */
export function askedAgain({ idempotencyKey: _, delayMs: __, ...spec }: TaskSpec): TaskSpec {
  return spec;
}

/**
 * A specification that cannot be read stops every replica that applies it: one of a newer program,
 * for example, which has to go to a newer leader; or one that asks for what not every node of the
 * cluster reads yet.
 */
export function refuseUnreadable(
  { specs }: Pick<SubmitBatch, 'specs'>,
  clusterVersion: number,
): void {
  for (const { digest, bytes } of specs) {
    try {
      decodeSpec(bytes);
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      throw new TschedError('badSpec', `the leader cannot read it: ${cause.message}`, {}, cause);
    }
    const tooNew = tooNewFor(bytes, clusterVersion);
    if (tooNew !== undefined) throw new TschedError('notYet', tooNew);
    if (!digestOf(bytes).every((byte, place) => byte === digest[place])) {
      throw new TschedError('badSpec', 'the digest is not that of the specification');
    }
  }
}

/** Why a spec with fields of a later cluster version is refused, or `undefined`. */
export function tooNewFor(bytes: Uint8Array, clusterVersion: number): string | undefined {
  const needed = clusterVersionOfSpec(bytes);
  if (needed <= clusterVersion) return undefined;
  return (
    `it asks for what cluster version ${needed} brings, and this cluster has ${clusterVersion} ` +
    'until each of its nodes runs a newer program'
  );
}

/**
 * At most a thousand items and about half a request's bytes at a time. A part never begins within a
 * gang, which is taken as a whole: its tasks share one spec, so it fits a part of its own.
 */
export function inParts(routed: readonly Routed[]): Routed[][] {
  const parts: Routed[][] = [];
  let bytes = 0;
  let specs = new Set<Encoded>();
  routed.forEach((item, position) => {
    const part = parts[parts.length - 1];
    const added = specs.has(item.spec) ? 0 : item.spec.bytes.length;
    const more = restOfGang(item, routed, position);
    const isFull = part !== undefined && part.length + more > partItemsMax;
    const isWithin = isOfGang(item) && item.request.arrayIndex !== 0;
    if (part === undefined || (!isWithin && (isFull || bytes + added > limits.rpcBytesMax / 2))) {
      parts.push([item]);
      specs = new Set([item.spec]);
      bytes = item.spec.bytes.length;
    } else {
      part.push(item);
      specs.add(item.spec);
      bytes += added;
    }
  });
  return parts;
}

const partItemsMax = 1_000;

const isOfGang = ({ request }: Routed): boolean => request.spec.gang !== undefined;

/** How many items are taken with this one: the rest of its gang, itself included. */
function restOfGang(item: Routed, routed: readonly Routed[], position: number): number {
  if (!isOfGang(item)) return 1;
  const { arrayId } = item.request;
  let count = 1;
  while (routed[position + count]?.request.arrayId === arrayId && count < limits.gangMax) count++;
  return count;
}

/** A spec that several items share is carried once. */
export function toBatch(part: readonly Routed[]): SubmitBatch {
  const specs: Encoded[] = [];
  const places = new Map<Encoded, number>();
  const items: SubmitItem[] = part.map(({ id, spec, request }) => {
    let place = places.get(spec);
    if (place === undefined) {
      place = specs.length;
      places.set(spec, place);
      specs.push(spec);
    }
    const { retryOf, arrayId, arrayIndex } = request;
    return { id, spec: place, retryOf, arrayId, arrayIndex };
  });
  return { specs, items };
}

/** Submits to a leader, and tells of what it took by when it should start. */
export async function submitAt(
  leader: ShardLeader,
  batch: SubmitBatch,
  actor: Actor,
): Promise<ItemReply[]> {
  const replies = await leader.submit(batch, actor);
  return replies.map(reply =>
    reply.ok ? { ...reply, startBoundMs: leader.machine.startBoundMs(reply.taskId) } : reply,
  );
}
