/**
 * One batch while it is put together: keys and values one behind the other in a single buffer that
 * is used again for the next batch, and three numbers per operation. On the hot path (hundreds of
 * batches a second with hundreds of rows each) this costs no object per row until LevelDB is
 * called.
 *
 * Use: `key()` and write the key, then `value(kind)`, write the body and `seal()`, or `remove()`.
 */
import { ByteWriter } from '../model/bytes.ts';
import { type RecordKind, sealOf, versions } from './record.ts';

/** Buffers that grew beyond this by an unusual batch are given back after it. */
const keepBytesMax = 2 * 1024 * 1024;
const removed = -1;

export class BatchBuffer {
  #writer = new ByteWriter(64 * 1024);
  /** Triples: start of the key, start of the value, end; the end of a removal is -1. */
  readonly #marks: number[] = [];
  #keyStart = 0;
  #valueStart = 0;

  get count(): number {
    return this.#marks.length / 3;
  }

  get bytes(): number {
    return this.#writer.length;
  }

  reset(): void {
    this.#marks.length = 0;
    if (this.#writer.length > keepBytesMax) this.#writer = new ByteWriter(64 * 1024);
    else this.#writer.reset();
  }

  /** Begins an operation. The caller writes its key. */
  key(): ByteWriter {
    this.#keyStart = this.#writer.length;
    return this.#writer;
  }

  /** Ends the key and begins a value. The caller writes its body, then calls `seal`. */
  value(kind: RecordKind): ByteWriter {
    this.#valueStart = this.#writer.length;
    return this.#writer.u8(versions[kind]);
  }

  /** Ends a put. */
  seal(): void {
    const writer = this.#writer;
    writer.u32(sealOf(writer.view(this.#keyStart, writer.length)));
    this.#marks.push(this.#keyStart, this.#valueStart, writer.length);
  }

  /** Ends a removal: only a key was written. */
  remove(): void {
    this.#marks.push(this.#keyStart, this.#writer.length, removed);
  }

  /** Calls `put` or `del` for each operation in order. The views hold until the next `key()`. */
  replay(put: (key: Uint8Array, value: Uint8Array) => void, del: (key: Uint8Array) => void): void {
    const marks = this.#marks;
    for (let position = 0; position < marks.length; position += 3) {
      const key = this.#writer.view(marks[position]!, marks[position + 1]!);
      const end = marks[position + 2]!;
      if (end === removed) del(key);
      else put(key, this.#writer.view(marks[position + 1]!, end));
    }
  }
}
