/** What the shard keeps of the keys of a task: hashes, as the keys themselves may be long. */
import { hashText, keySlot, mix32 } from '../../model/slots.ts';
import type { SpecTerms } from '../../model/spec.ts';
import type { HoldKind } from '../../model/task.ts';

/** Hash of tenant, key of the line and idempotency key, and the slot their tasks must have. */
export interface KeyHash {
  readonly high: number;
  readonly low: number;
  readonly slot: number;
}

/** The line that a task stands in, and the slot its tasks must have. */
export interface LineKey {
  /** 53 bits over tenant and key: where two are alike, tasks wait that need not. */
  readonly hash: number;
  readonly slot: number;
  /** How many of the line may run at once for this one to be among them. */
  readonly width: number;
  /** What it is held by while it may not. */
  readonly hold: HoldKind;
}

/** 64 bits: two unlike 32-bit hashes. */
function hash64(text: string): { high: number; low: number } {
  let low = text.length;
  for (let position = 0; position < text.length; position++) {
    low = mix32(Math.imul(low, 0x9e3779b1) + text.charCodeAt(position));
  }
  return { high: hashText(text), low };
}

/** An idempotency key is unique per tenant, and per order key or key that bounds what runs. */
export function hashKey(tenant: string, key: string, lineKey?: string): KeyHash {
  const line = lineKey === undefined ? '' : `${lineKey}\u0000`;
  const slot = keySlot({ tenant, orderKey: lineKey, idempotencyKey: key })!;
  return { ...hash64(`${tenant}\u0000${line}${key}`), slot };
}

/** Key hash of a spec that has an idempotency key. */
export function keyOf(spec: SpecTerms): KeyHash | undefined {
  const { tenant, idempotencyKey, orderKey, maxRunningPer } = spec;
  if (idempotencyKey === undefined) return undefined;
  return hashKey(tenant, idempotencyKey, orderKey ?? maxRunningPer?.key);
}

export function lineOf(spec: SpecTerms): LineKey | undefined {
  const { tenant, orderKey, maxRunningPer } = spec;
  const key = orderKey ?? maxRunningPer?.key;
  if (key === undefined) return undefined;
  const hold = orderKey === undefined ? 'permit' : 'orderKey';
  const width = orderKey === undefined ? Math.max(1, maxRunningPer?.max ?? 1) : 1;
  const { high, low } = hash64(`${tenant}\u0000${hold}\u0000${key}`);
  return { hash: high * 2 ** 21 + (low >>> 11), slot: keySlot(spec)!, width, hold };
}
