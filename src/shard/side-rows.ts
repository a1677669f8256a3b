/**
 * Rows beside those of tasks and specs: messages, workflows, dead letters, budgets. Small, and
 * written as they are when a flush comes by: of one that changes often only the newest value is.
 * What is on its way to the disk can still be read here.
 */
type Encode = () => Uint8Array;

/** What a row is counted as until it is encoded. */
const rowBytesGuess = 96;

const nameOf = (key: Uint8Array): string => String.fromCharCode(...key);

export type SideRow = readonly [key: Uint8Array, value: Uint8Array | undefined];

export class SideRows {
  /** Without `encode` the row goes. */
  readonly #dirty = new Map<string, { readonly key: Uint8Array; readonly encode?: Encode }>();
  readonly #unstored = new Map<string, Uint8Array>();

  get size(): number {
    return this.#dirty.size;
  }

  /** An estimate. */
  get bytes(): number {
    return this.#dirty.size * rowBytesGuess;
  }

  put(key: Uint8Array, encode: Encode): void {
    this.#dirty.set(nameOf(key), { key, encode });
  }

  drop(key: Uint8Array): void {
    this.#dirty.set(nameOf(key), { key });
  }

  /** Value of a row that is not durable yet. */
  pending(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key);
    const dirty = this.#dirty.get(name);
    return dirty === undefined ? this.#unstored.get(name) : dirty.encode?.();
  }

  /** Everything that is to be written, in key order. */
  take(): SideRow[] {
    const names = [...this.#dirty.keys()].sort();
    const rows = names.map((name): SideRow => {
      const { key, encode } = this.#dirty.get(name)!;
      const value = encode?.();
      if (value === undefined) this.#unstored.delete(name);
      else this.#unstored.set(name, value);
      return [key, value];
    });
    this.#dirty.clear();
    return rows;
  }

  /** Those are durable. */
  done(rows: readonly SideRow[]): void {
    for (const [key, value] of rows) {
      const name = nameOf(key);
      if (this.#unstored.get(name) === value) this.#unstored.delete(name);
    }
  }
}
