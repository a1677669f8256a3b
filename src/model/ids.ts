/**
 * Task IDs: 20 characters of lower-case Crockford base32, that is 100 bits: 48-bit milliseconds,
 * 12-bit slot, 40-bit random. They sort by time and can be routed from the ID alone.
 */
import { assert } from './assert.ts';

export type TaskId = string & { readonly taskId: unique symbol };
/** libp2p peer id of a node, base58. */
export type NodeId = string;
/** Number of a shard, 1 to the number of shards. Group 0 is the registry. */
export type ShardId = number;
export type GroupId = number;
export type Slot = number;

export const registryGroup: GroupId = 0;
export const slotCount = 4096;
export const idLength = 20;
export const shortIdLength = 8;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const digitOf = new Map<string, number>();
for (let value = 0; value < 32; value++) digitOf.set(alphabet[value]!, value);
for (const [alias, meant] of [
  ['o', 0],
  ['i', 1],
  ['l', 1],
] as const)
  digitOf.set(alias, meant);

function encodeBase32(value: number, characters: number): string {
  let text = '';
  for (let position = 0; position < characters; position++) {
    text = alphabet[value % 32]! + text;
    value = Math.floor(value / 32);
  }
  return text;
}

export interface TaskIdParts {
  /** Milliseconds since the epoch, below 2^48. */
  readonly atMs: number;
  readonly slot: Slot;
  /** Below 2^40. */
  readonly random: number;
}

/**
 * Layout over 5-bit characters: 100 bits = 50 high (48-bit time, top 2 bits of the slot) and 50 low
 * (10 bits of the slot, 40-bit random). Each half is a safe integer.
 */
export function formatTaskId(parts: TaskIdParts): TaskId {
  const { atMs, slot, random } = parts;
  assert(Number.isInteger(atMs) && atMs >= 0 && atMs < 2 ** 48, `time out of range: ${atMs}`);
  assert(Number.isInteger(slot) && slot >= 0 && slot < slotCount, `slot out of range: ${slot}`);
  assert(Number.isInteger(random) && random >= 0 && random < 2 ** 40, `random out of range`);
  const high = atMs * 4 + Math.floor(slot / 1024);
  const low = (slot % 1024) * 2 ** 40 + random;
  return (encodeBase32(high, 10) + encodeBase32(low, 10)) as TaskId;
}

/** The parts of an ID, or `undefined` where `text` is not one. Accepts upper case and o, i, l. */
export function parseTaskId(text: string): TaskIdParts | undefined {
  if (text.length !== idLength) return undefined;
  let high = 0;
  let low = 0;
  for (let position = 0; position < idLength; position++) {
    const value = digitOf.get(text[position]!.toLowerCase());
    if (value === undefined) return undefined;
    if (position < 10) high = high * 32 + value;
    else low = low * 32 + value;
  }
  return {
    atMs: Math.floor(high / 4),
    slot: (high % 4) * 1024 + Math.floor(low / 2 ** 40),
    random: low % 2 ** 40,
  };
}

/** The canonical spelling of an ID, or `undefined`. */
export function toTaskId(text: string): TaskId | undefined {
  const parts = parseTaskId(text);
  return parts === undefined ? undefined : formatTaskId(parts);
}

/** The instant in a canonical ID, milliseconds since the epoch. */
export function timeOfId(id: TaskId): number {
  let high = 0;
  for (let position = 0; position < 10; position++) high = high * 32 + digitOf.get(id[position]!)!;
  return Math.floor(high / 4);
}

/** Slot of a canonical ID, without allocating. */
export function slotOfId(id: TaskId): Slot {
  const code = (position: number): number => digitOf.get(id[position]!)!;
  return ((code(9) & 3) << 10) | (code(10) << 5) | code(11);
}

export const shortId = (id: string): string => id.slice(-shortIdLength);
