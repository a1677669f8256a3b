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
const codeOf = Uint8Array.from(alphabet, character => character.charCodeAt(0));
/** Value of a digit by its character code; -1 for what is none. */
const digitOf = new Int8Array(128).fill(-1);
codeOf.forEach((code, value) => {
  digitOf[code] = value;
});
for (const [alias, meant] of [
  ['o', 0],
  ['i', 1],
  ['l', 1],
] as const)
  digitOf[alias.charCodeAt(0)] = meant;

const digitAt = (text: string, position: number): number =>
  digitOf[text.charCodeAt(position)] ?? -1;

/** 0 for what is no digit. */
const bitsAt = (text: string, position: number): number => Math.max(0, digitAt(text, position));

/** Ten characters for 50 bits: 25 and 25, which are integers to the machine. */
function encodeBase32(value: number): string {
  const high = Math.floor(value / 2 ** 25);
  const low = value % 2 ** 25;
  return String.fromCharCode(
    codeOf[high >>> 20]!,
    codeOf[(high >>> 15) & 31]!,
    codeOf[(high >>> 10) & 31]!,
    codeOf[(high >>> 5) & 31]!,
    codeOf[high & 31]!,
    codeOf[low >>> 20]!,
    codeOf[(low >>> 15) & 31]!,
    codeOf[(low >>> 10) & 31]!,
    codeOf[(low >>> 5) & 31]!,
    codeOf[low & 31]!,
  );
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
  return (encodeBase32(high) + encodeBase32(low)) as TaskId;
}

/** The parts of an ID, or `undefined` where `text` is not one. Accepts upper case and o, i, l. */
export function parseTaskId(text: string): TaskIdParts | undefined {
  if (text.length !== idLength) return undefined;
  const lower = text.toLowerCase();
  if (lower.length !== idLength) return undefined;
  let high = 0;
  let low = 0;
  for (let position = 0; position < idLength; position++) {
    const value = digitAt(lower, position);
    if (value < 0) return undefined;
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

/** The instant in a canonical ID, milliseconds since the epoch; NaN where it is none. */
export function timeOfId(id: TaskId): number {
  let high = 0;
  for (let position = 0; position < 10; position++) {
    const value = digitAt(id, position);
    if (value < 0) return Number.NaN;
    high = high * 32 + value;
  }
  return Math.floor(high / 4);
}

/** Slot of a canonical ID, without allocating. */
export function slotOfId(id: TaskId): Slot {
  return ((bitsAt(id, 9) & 3) << 10) | (bitsAt(id, 10) << 5) | bitsAt(id, 11);
}

export const shortId = (id: string): string => id.slice(-shortIdLength);
