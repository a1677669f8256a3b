/**
 * Messages between shards, as each shard keeps them (DESIGN 4). The outbox holds what the other
 * side has not acknowledged. Numbers grow over all messages of a shard, above everything that was
 * given out before a recovery; who delivers sends the oldest ones for a shard first, and a batch of
 * them is one log entry there. So whoever has taken a number has taken, or will never be sent, all
 * below it, and the inbox is one number for each shard that ever sent something.
 *
 *   outbox head   (nothing)        version u8 · newest number
 *   outbox        number, u64      version u8 · slot · message
 *   inbox         source u16       version u8 · newest number taken
 */
import { nextFence } from '../model/attempt.ts';
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import type { Slot } from '../model/ids.ts';
import { readMessage, type ShardMessage, writeMessage } from '../model/message.ts';
import { rowKind } from './keys.ts';
import type { SideRows } from './side-rows.ts';

const version = 1;

export interface OutboxMessage {
  readonly sequence: number;
  readonly slot: Slot;
  readonly message: ShardMessage;
}

const headKey = Uint8Array.of(rowKind.outbox);

const outboxKey = (sequence: number): Uint8Array =>
  new ByteWriter(9)
    .u8(rowKind.outbox)
    .u32(Math.floor(sequence / 2 ** 32))
    .u32(sequence % 2 ** 32)
    .finish();

const inboxKey = (source: number): Uint8Array =>
  new ByteWriter(3).u8(rowKind.inbox).u16(source).finish();

const encodeNumber = (value: number): Uint8Array =>
  new ByteWriter(12).u8(version).varint(value).finish();

function encodeOutboxRow({ slot, message }: OutboxMessage): Uint8Array {
  const writer = new ByteWriter(96).u8(version).u16(slot);
  writeMessage(writer, message);
  return writer.finish();
}

export class Mailbox {
  readonly #rows: SideRows;
  /** By ascending number. */
  readonly #outbox = new Map<number, OutboxMessage>();
  readonly #taken = new Map<number, number>();
  #newest = 0;

  constructor(rows: SideRows) {
    this.#rows = rows;
  }

  /** Messages that are not acknowledged. */
  get size(): number {
    return this.#outbox.size;
  }

  get newest(): number {
    return this.#newest;
  }

  messages(): IterableIterator<OutboxMessage> {
    return this.#outbox.values();
  }

  /** Puts a message into the outbox; answers its number. `epoch` is the shard's. */
  send(slot: Slot, message: ShardMessage, epoch: number): number {
    const sequence = nextFence(this.#newest, epoch);
    const entry = { sequence, slot, message };
    this.#newest = sequence;
    this.#outbox.set(sequence, entry);
    this.#rows.put(headKey, () => encodeNumber(this.#newest));
    this.#rows.put(outboxKey(sequence), () => encodeOutboxRow(entry));
    return sequence;
  }

  /** False where it was acknowledged before. */
  acknowledged(sequence: number): boolean {
    if (!this.#outbox.delete(sequence)) return false;
    this.#rows.drop(outboxKey(sequence));
    return true;
  }

  /** Newest number taken of a shard; 0 for none. */
  taken(source: number): number {
    return this.#taken.get(source) ?? 0;
  }

  take(source: number, sequence: number): void {
    this.#taken.set(source, sequence);
    this.#rows.put(inboxKey(source), () => encodeNumber(this.taken(source)));
  }

  /** Takes a row of the outbox or of the inbox that was stored. */
  load(key: Uint8Array, value: Uint8Array): void {
    const name = new ByteReader(key);
    const kind = name.u8();
    const reader = new ByteReader(value);
    reader.version(version, 'row of a message');
    if (kind === rowKind.inbox) this.#taken.set(name.u16(), reader.varint());
    else if (name.remaining === 0) this.#newest = reader.varint();
    else {
      const sequence = name.u32() * 2 ** 32 + name.u32();
      if (sequence > this.#newest) throw new DecodeError('a message above the newest number');
      this.#outbox.set(sequence, { sequence, slot: reader.u16(), message: readMessage(reader) });
    }
    reader.end('row of a message');
  }
}
