/**
 * Readings of whole groups: an iterator over the rows of one life, with LevelDB's own snapshot
 * under it, so that nothing written or cleared meanwhile shows. Whatever goes wrong is handed to
 * `fault`, which answers what to throw.
 */
import { assert } from '../model/assert.ts';
import type { GroupReading, Row, RowReading } from '../ports/store.ts';
import { StoreDamage } from './damage.ts';
import { keyOf, lifeRange, rowKeyOffset, writeGroupKey } from './keyspace.ts';
import type { Database } from './level-log.ts';
import { decodeBody, readApplied, readDescriptor, type StoredApplied, unseal } from './record.ts';

type Snapshot = ReturnType<Database['snapshot']>;

/** What `next` reads from LevelDB at a time. */
const pageRows = 1_024;

export class LevelRows implements RowReading {
  readonly #fault: (error: unknown) => Error;
  readonly #onClose: (reading: LevelRows) => void;
  readonly #snapshot: Snapshot;
  /** From LevelDB: less than asked for at the end, and where the rows are large. */
  readonly #nextPage: () => Promise<[Uint8Array, Uint8Array][]>;
  readonly #closeIterator: () => Promise<void>;
  #page: [Uint8Array, Uint8Array][] = [];
  /** LevelDB reads the next page while whoever asked works on this one. */
  #ahead: Promise<[Uint8Array, Uint8Array][]> | undefined;
  #closing: Promise<void> | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(
    db: Database,
    snapshot: Snapshot,
    life: { readonly group: number; readonly gen: number },
    hooks: { fault(error: unknown): Error; onClose(reading: LevelRows): void },
  ) {
    this.#snapshot = snapshot;
    this.#fault = hooks.fault;
    this.#onClose = hooks.onClose;
    const range = lifeRange('row', life.group, life.gen);
    const iterator = db.iterator({
      ...range,
      snapshot,
      // Cold rows of a whole group must not push out what is read all the time.
      fillCache: false,
      highWaterMarkBytes: 512 * 1024,
    });
    this.#nextPage = () => iterator.nextv(pageRows);
    this.#closeIterator = () => iterator.close();
  }

  next(maxBytes: number): Promise<Row[]> {
    assert(this.#closing === undefined, 'the reading is open');
    const rows = this.#take(maxBytes);
    // Whoever called hears of a failure; `close` only has to wait for the end.
    this.#reading = Promise.allSettled([rows]);
    return rows;
  }

  async #take(maxBytes: number): Promise<Row[]> {
    const rows: Row[] = [];
    let bytes = 0;
    try {
      while (bytes < maxBytes) {
        if (this.#page.length === 0) await this.#turn();
        const found = this.#page.pop();
        if (found === undefined) break;
        const [key, value] = found;
        const length = key.length - rowKeyOffset;
        // Not `key.subarray`: on a Buffer that would make another Buffer.
        const name = new Uint8Array(key.buffer, key.byteOffset + rowKeyOffset, length);
        rows.push([name, unseal('row', key, value)]);
        bytes += key.length + value.length;
      }
    } catch (error) {
      throw this.#fault(error);
    }
    return rows;
  }

  async #turn(): Promise<void> {
    const page = await (this.#ahead ?? this.#nextPage());
    this.#ahead = page.length === 0 ? undefined : this.#nextPage();
    // Its failure is told to whoever wants that page.
    this.#ahead?.catch(() => undefined);
    this.#page = page.reverse();
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #release(): Promise<void> {
    try {
      await Promise.allSettled([this.#reading, this.#ahead]);
      await this.#closeIterator();
      await this.#snapshot.close();
    } catch (error) {
      throw this.#fault(error);
    } finally {
      this.#onClose(this);
    }
  }
}

/** Descriptor, generation and applied index of a group, all as of the snapshot. */
function headOf(
  db: Database,
  snapshot: Snapshot,
  group: number,
): { readonly gen: number; readonly descriptor: Uint8Array } & StoredApplied {
  const at = (prefix: 'descriptor' | 'applied'): [Uint8Array, Uint8Array | undefined] => {
    const key = keyOf(writer => writeGroupKey(writer, prefix, group));
    const value = db.getSync(key, { snapshot });
    return [key, value === undefined ? undefined : unseal(prefix, key, value)];
  };
  const [descriptorKey, descriptor] = at('descriptor');
  if (descriptor === undefined) throw new StoreDamage(`group ${group} has no descriptor`);
  const [appliedKey, applied] = at('applied');
  return {
    // Copied: the view would keep what it was read with.
    ...decodeBody(descriptorKey, descriptor.slice(), readDescriptor),
    ...(applied === undefined
      ? { applied: 0, appliedTerm: 0 }
      : decodeBody(appliedKey, applied, readApplied)),
  };
}

/** A reading of a group's whole state at the newest batch that can be seen. */
export function readLevelGroup(
  db: Database,
  group: number,
  hooks: { fault(error: unknown): Error; onClose(reading: LevelRows): void },
): { readonly reading: GroupReading; readonly rows: LevelRows } {
  const snapshot = db.snapshot();
  try {
    const { gen, descriptor, applied, appliedTerm } = headOf(db, snapshot, group);
    const rows = new LevelRows(db, snapshot, { group, gen }, hooks);
    const reading = {
      descriptor,
      applied,
      appliedTerm,
      next: (maxBytes: number) => rows.next(maxBytes),
      close: () => rows.close(),
    };
    return { reading, rows };
  } catch (error) {
    // Nobody else holds it; what failed is what counts.
    snapshot.close().catch(hooks.fault);
    throw error;
  }
}
