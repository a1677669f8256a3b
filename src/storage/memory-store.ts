/**
 * The port in memory: for unit tests, benchmarks without a disk, and, with a schedule of its own,
 * for the simulator. It keeps every rule of the port that the real store keeps; what differs is
 * that a power cut takes the `MemoryDisk` with it.
 */
import { assert } from '../model/assert.ts';
import { TschedError } from '../model/errors.ts';
import type {
  GroupReading,
  Row,
  RowReading,
  Store,
  StoreHeader,
  StoreImage,
  StoreMaker,
  StoreOp,
} from '../ports/store.ts';
import { type Entry, entryBytes } from '../raft/message.ts';
import { GroupLedger, Ledgers } from './ledger.ts';
import { MemoryDisk } from './memory-disk.ts';

export interface MemoryStoreOptions {
  /** Content that outlives the handle; its own, empty one by default. */
  readonly disk?: MemoryDisk | undefined;
  /** Runs the end of a write later, never at once; `setImmediate` by default. */
  readonly schedule?: ((finish: () => void) => void) | undefined;
}

const noBytes = new Uint8Array(0);
/** Above every key that a machine makes. */
const behindAll = new Uint8Array(64).fill(0xff);

interface Flight {
  readonly ops: readonly StoreOp[];
  readonly done: () => void;
}

export class MemoryStore implements Store, StoreMaker {
  readonly disk: MemoryDisk;
  readonly #schedule: (finish: () => void) => void;
  readonly #ledgers = new Ledgers();
  #onFault: (error: Error) => void = () => undefined;
  #failure: TschedError | undefined;
  #flight: Flight | undefined;
  #state: 'new' | 'open' | 'closed' = 'new';
  #afterFlight: (() => void)[] = [];

  constructor(options: MemoryStoreOptions = {}) {
    this.disk = options.disk ?? new MemoryDisk();
    this.#schedule = options.schedule ?? (finish => void setImmediate(finish));
  }

  async create(header: StoreHeader): Promise<void> {
    this.createNow(header);
  }

  /** As `create`, at once. */
  createNow(header: StoreHeader): void {
    if (this.disk.header !== undefined) {
      throw new TschedError('dataDirTaken', 'there is a store in this memory already');
    }
    this.disk.header = header;
  }

  async open(onFault: (error: Error) => void): Promise<StoreImage> {
    return this.openNow(onFault);
  }

  /** As `open`, at once. */
  openNow(onFault: (error: Error) => void): StoreImage {
    assert(this.#state === 'new', 'the store is opened once');
    const { disk } = this;
    if (disk.header === undefined) {
      throw new TschedError('dataDirEmpty', 'there is no store in this memory');
    }
    if (disk.locked) throw new TschedError('dataDirInUse', 'this memory is open already');
    disk.locked = true;
    disk.bootCount++;
    disk.sweep();
    this.#state = 'open';
    this.#onFault = onFault;
    const image = disk.image(disk.header);
    for (const group of image.groups) {
      const ledger = new GroupLedger(group.group);
      const { hard, firstIndex: first, lastIndex: last, truncatedTerm } = group;
      const { applied, appliedTerm } = group;
      const lastTerm = disk.groups.get(group.group)?.log.at(-1)?.term ?? truncatedTerm;
      const bounds = { first, truncatedTerm, last, lastTerm };
      Object.assign(ledger, { hard, ...bounds, applied, appliedTerm });
      ledger.settle();
      this.#ledgers.add(ledger);
    }
    return image;
  }

  write(ops: readonly StoreOp[], done: () => void): void {
    if (this.#failure !== undefined) return;
    assert(this.#state === 'open', 'the store is open');
    assert(this.#flight === undefined, 'one batch in flight');
    for (const op of ops) this.#ledgers.stage(op);
    this.#ledgers.assertSound();
    const flight = { ops: ops.map(ownCopy), done };
    this.#flight = flight;
    this.#schedule(() => {
      // After `abandon` or `fail` the batch is nobody's any more.
      if (this.#flight !== flight) return;
      this.#flight = undefined;
      this.disk.commit(flight.ops);
      this.#ledgers.settle();
      done();
      for (const resume of this.#afterFlight.splice(0)) resume();
    });
  }

  /** Whether a write is in flight. */
  get busy(): boolean {
    return this.#flight !== undefined;
  }

  row(group: number, key: Uint8Array): Uint8Array | undefined {
    this.#assertReadable();
    return this.disk.groups.get(group)?.rows.get(key);
  }

  async rows(
    group: number,
    range: { from: Uint8Array; to: Uint8Array; limit: number; reverse?: boolean | undefined },
  ): Promise<Row[]> {
    return this.rowsNow(group, range);
  }

  /** As `rows`, at once. */
  rowsNow(
    group: number,
    range: { from: Uint8Array; to: Uint8Array; limit: number; reverse?: boolean | undefined },
  ): Row[] {
    this.#assertReadable();
    return this.disk.groups.get(group)?.rows.range(range) ?? [];
  }

  readGroup(group: number): GroupReading {
    this.#assertReadable();
    const stored = this.disk.groups.get(group);
    assert(stored !== undefined, `group ${group} is not in the store`);
    const { descriptor, applied, appliedTerm } = stored;
    const rows = stored.rows.range({ from: noBytes, to: behindAll, limit: Number.MAX_VALUE });
    return { descriptor, applied, appliedTerm, ...this.#readingOf(rows) };
  }

  stagedRows(group: number): RowReading {
    this.#assertReadable();
    return this.#readingOf([...(this.disk.groups.get(group)?.staged ?? [])]);
  }

  #readingOf(rows: readonly Row[]): RowReading {
    let at = 0;
    return {
      next: async maxBytes => {
        this.#assertReadable();
        const from = at;
        for (let bytes = 0; at < rows.length && bytes < maxBytes; at++) {
          bytes += rows[at]![0].length + rows[at]![1].length;
        }
        return rows.slice(from, at);
      },
      close: async () => undefined,
    };
  }

  entries(group: number, lo: number, hi: number, maxBytes: number): Entry[] {
    this.#assertReadable();
    this.#ledgers.of(group).assertReadable(lo, hi);
    const stored = this.disk.groups.get(group);
    const log = stored?.log ?? [];
    const before = (stored?.truncated.index ?? 0) + 1;
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = lo; index < hi; index++) {
      const entry = log[index - before]!;
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }

  async close(): Promise<void> {
    // The end of one batch may begin the next.
    while (this.#flight !== undefined) {
      await new Promise<void>(resolve => this.#afterFlight.push(resolve));
    }
    this.closeNow();
  }

  /** As `close`, at once: nothing may be in flight. */
  closeNow(): void {
    assert(this.#flight === undefined, 'nothing is in flight');
    if (this.#state === 'open') this.disk.locked = false;
    this.#state = 'closed';
  }

  /**
   * The process is gone: no callback comes any more and the disk can be opened again. What was in
   * flight is on the disk or not, as a whole.
   */
  abandon(options: { keepInFlight: boolean }): void {
    if (this.#flight !== undefined && options.keepInFlight) this.disk.commit(this.#flight.ops);
    this.#flight = undefined;
    if (this.#state === 'open') this.disk.locked = false;
    this.#state = 'closed';
  }

  /**
   * The disk fails: what is in flight is never done, though it may be on the disk, and nothing
   * works on this handle after it.
   */
  fail(message: string, options: { keepInFlight: boolean }): void {
    if (this.#failure !== undefined) return;
    this.#failure = new TschedError('storageFault', message);
    if (this.#flight !== undefined && options.keepInFlight) this.disk.commit(this.#flight.ops);
    this.#flight = undefined;
    this.#onFault(this.#failure);
    for (const resume of this.#afterFlight.splice(0)) resume();
  }

  #assertReadable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#state === 'open', 'the store is open');
  }
}

/** The caller may use its buffers and lists again once `write` has returned. */
export function ownCopy(op: StoreOp): StoreOp {
  switch (op.kind) {
    case 'stage':
      return { ...op, rows: op.rows.map(([key, value]) => [key.slice(), value.slice()] as const) };
    case 'install':
      return { ...op, descriptor: op.descriptor.slice() };
    case 'state':
      return { ...op, rows: op.rows.map(([key, value]) => [key.slice(), value?.slice()] as const) };
    case 'descriptor':
    case 'meta':
      return { ...op, value: op.value.slice() };
    case 'entries':
      return { ...op, entries: op.entries.slice() };
    default:
      return op;
  }
}

/** An open-once handle on memory. Give two handles the same disk to see what a restart sees. */
export function createMemoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new MemoryStore(options);
}
