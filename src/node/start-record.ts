/**
 * The ids of the starts of this node's store, as its store keeps them (ADR 0020). A start draws one
 * and writes it before it registers; the registry's word that it has it makes the others
 * superfluous. Whatever was killed in between: the newest id that was registered is one of them.
 *
 * A node that is killed again and again before it hears that word fills the list. From then on its
 * starts share the last id, so that none of them is locked out; among them the count of starts
 * alone tells a copy of the disk.
 */
import { ByteReader, ByteWriter } from '../model/bytes.ts';
import { limits } from '../model/limits.ts';
import type { Random } from '../ports/clock.ts';
import type { StoreImage } from '../ports/store.ts';
import { type KnownStarts, keptBootId, type Start } from '../registry/starts.ts';

/** Name of the record among those of the node. */
export const startsKey = 'starts';

const version = 1;

export function encodeStarts(starts: KnownStarts): Uint8Array {
  const writer = new ByteWriter(64).u8(version).varint(starts.confirmedCount);
  return writer.list(starts.ids, (w, id) => w.text(id)).finish();
}

/** Throws `DecodeError` for another version or malformed bytes. */
export function decodeStarts(bytes: Uint8Array): KnownStarts {
  const reader = new ByteReader(bytes);
  reader.version(version, 'record of starts');
  const starts = { confirmedCount: reader.varint(), ids: reader.list(r => r.text(64)) };
  reader.end('record of starts');
  return starts;
}

/** This start of a store, and what the store knows of those before it. */
export class StartRecord implements Start {
  readonly storeId: string;
  readonly bootCount: number;
  readonly bootId: string;
  /** What the store knows once `encoded` is in it. */
  readonly known: KnownStarts;
  readonly #write: (key: string, value: Uint8Array) => Promise<void>;
  #confirmed = false;

  constructor(
    image: StoreImage,
    random: Random,
    /** Puts a record of the node into the store; resolves when it is durable. */
    write: (key: string, value: Uint8Array) => Promise<void>,
  ) {
    const stored = image.meta.get(startsKey);
    // The store of an older program, or one that was never started: it knows of none.
    const before = stored === undefined ? { confirmedCount: 0, ids: [] } : decodeStarts(stored);
    const { ids } = before;
    const full = ids.length >= limits.unconfirmedStartsMax;
    this.storeId = image.header.storeId;
    this.bootCount = image.bootCount;
    this.known = full ? before : { ...before, ids: [...ids, keptBootId(hexOf(random))] };
    this.bootId = this.known.ids.at(-1)!;
    this.#write = write;
  }

  /** Has to be durable before this start is registered. */
  keep(): Promise<void> {
    return this.#write(startsKey, encodeStarts(this.known));
  }

  /** The registry has this start: no other can be the newest that is registered. */
  async confirm(): Promise<void> {
    if (this.#confirmed) return;
    this.#confirmed = true;
    const known = { confirmedCount: this.bootCount, ids: [this.bootId] };
    await this.#write(startsKey, encodeStarts(known));
  }
}

const hexOf = (random: Random): string =>
  Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0')).join('');
