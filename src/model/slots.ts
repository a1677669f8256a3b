/**
 * Which slot a task belongs to (DESIGN section 4). A keyed task's slot is the hash of its tenant
 * and key, so that repeats of a key meet in one shard; a keyless task may carry any slot, drawn at
 * random by whoever draws the ID.
 */
import { formatTaskId, parseTaskId, type Slot, slotCount, type TaskId } from './ids.ts';

/** 32-bit FNV-1a over UTF-16 code units, each as two bytes, with a final mix. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed >>> 0;
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position);
    hash = Math.imul(hash ^ (code & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (code >>> 8), 0x01000193);
  }
  return mix32(hash);
}

/** Finaliser of MurmurHash3: every input bit reaches every output bit. */
export function mix32(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The keys of a task, of which the first decides its slot. */
interface Keys {
  readonly tenant: string;
  readonly orderKey?: string | undefined;
  readonly maxRunningPer?: { readonly key: string } | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** Slot of a task that has a key; `undefined` for a keyless one. */
export function keySlot(key: Keys): Slot | undefined {
  const text = key.orderKey ?? key.maxRunningPer?.key ?? key.idempotencyKey;
  if (text === undefined) return undefined;
  return hashText(`${key.tenant}\u0000${text}`) % slotCount;
}

/** Slot whose shard keeps the budget of a tenant: its home. */
export const tenantSlot = (tenant: string): Slot => hashText(tenant) % slotCount;
/** The ID in the slot of the line that its task stands in; an ID drawn without knowing that. */
export function intoKeySlot(id: TaskId, key: Keys): TaskId {
  if (key.orderKey === undefined && key.maxRunningPer === undefined) return id;
  const { atMs, random } = parseTaskId(id)!;
  return formatTaskId({ atMs, slot: keySlot(key)!, random });
}

/** Shard of every slot, `slotCount` long. Replicated by the registry, read by whoever routes. */
export interface SlotTable {
  readonly length: number;
  readonly [slot: number]: number;
}

/** The table a cluster starts with: shards 1 to `shards`, taken in turn. */
export function initialSlotTable(shards: number): Uint16Array {
  const table = new Uint16Array(slotCount);
  for (let slot = 0; slot < slotCount; slot++) table[slot] = 1 + (slot % shards);
  return table;
}
