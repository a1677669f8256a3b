/**
 * What was handed out of the tenants' hourly budgets whose home this shard is, by minutes. Few rows
 * and small ones: all of them stay in memory, and one goes with the first charge of an hour in
 * which it counts no more.
 */
import { ByteReader, ByteWriter } from '../../model/bytes.ts';
import { counted, type Minutes, minuteOf, minutesCounted } from '../../model/hour.ts';
import { rowKind } from '../keys.ts';
import type { SideRows } from '../side-rows.ts';

const version = 1;
const tenantBytesMax = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function keyOf(tenant: string): Uint8Array {
  const name = encoder.encode(tenant);
  const key = new Uint8Array(1 + name.length);
  key[0] = rowKind.hourBudget;
  key.set(name, 1);
  return key;
}

/** Value of the row of one tenant. */
export function encodeHourBudget(minutes: Minutes): Uint8Array {
  const writer = new ByteWriter(64).u8(version);
  writer.list(minutes, (w, [minute, count]) => w.varint(minute).varint(count));
  return writer.finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeHourBudget(bytes: Uint8Array): Minutes {
  const reader = new ByteReader(bytes);
  reader.version(version, 'row of an hourly budget');
  const minutes = reader.list((r): [number, number] => [r.varint(), r.varint()], minutesCounted);
  reader.end('row of an hourly budget');
  return minutes;
}

export class HourBudgets {
  readonly #minutes = new Map<string, Minutes>();
  readonly #rows: SideRows;

  constructor(rows: SideRows) {
    this.#rows = rows;
  }

  /** In order of the minutes; empty where nothing was charged. */
  of(tenant: string): Minutes {
    return this.#minutes.get(tenant) ?? [];
  }

  /** Counts `count` at state time; returns what the running minute has now. */
  charge(tenant: string, count: number, nowMs: number): number {
    const oldest = minuteOf(nowMs) - minutesCounted + 1;
    for (const [other, minutes] of this.#minutes) {
      if (minutes.at(-1)![0] >= oldest) continue;
      this.#minutes.delete(other);
      this.#rows.drop(keyOf(other));
    }
    const minutes = counted(this.of(tenant), nowMs, count);
    this.#minutes.set(tenant, minutes);
    this.#rows.put(keyOf(tenant), () => encodeHourBudget(minutes));
    return minutes.at(-1)![1];
  }

  load(key: Uint8Array, value: Uint8Array): void {
    const tenant = decoder.decode(key.subarray(1, 1 + tenantBytesMax));
    this.#minutes.set(tenant, decodeHourBudget(value));
  }
}
