/**
 * The real store on a simulated LevelDB (`sim-level.ts`), beside a plain copy of what it was given:
 * that copy is what the checkers look at, and what an open has to give back. However the disk was
 * damaged, the store either refuses or answers as the copy would.
 */
import type { Random } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import type {
  GroupReading,
  Row,
  RowReading,
  Store,
  StoreImage,
  StoreOp,
} from '../../src/ports/store.ts';
import type { Entry } from '../../src/raft/message.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { ownCopy } from '../../src/storage/memory-store.ts';
import { type LevelDisk, type LevelHandle, simLevelFiles } from './sim-level.ts';
import { coin, drawDelay, drawn, noRoom, type SimStoreFaults } from './sim-store.ts';
import { check } from './violation.ts';
import type { WatchedDisk } from './watched-disk.ts';

const directory = 'store';

interface LevelStoreOptions {
  readonly scheduler: { after(delayMs: number, fire: () => void): unknown };
  readonly random: Random;
  readonly faults: SimStoreFaults;
  readonly disk: WatchedDisk;
  readonly level: LevelDisk;
  readonly log: Log;
}

export class SimLevelStore implements Store {
  readonly #options: LevelStoreOptions;
  readonly #inner: Store;
  #handle: LevelHandle | undefined;
  #flight: readonly StoreOp[] | undefined;
  /** Until it is open, a write takes no time: nobody waits for it. */
  #opening = true;
  #closed = false;

  constructor(options: LevelStoreOptions) {
    this.#options = options;
    const { level, log, faults, random, scheduler } = options;
    const files = simLevelFiles(
      {
        disk: level,
        schedule: finish => {
          if (this.#opening) return finish(undefined);
          const failing = drawn(random, faults.failPerMillion ?? 0);
          scheduler.after(drawDelay(random, faults), () => {
            if (faults.full === true) finish(new Error(noRoom));
            else finish(failing ? new Error('IO error: the simulated disk failed') : undefined);
          });
        },
        durable: () => {
          if (this.#flight !== undefined) options.disk.commit(this.#flight);
          this.#flight = undefined;
        },
        refuses: () => (faults.full === true ? noRoom : undefined),
      },
      handle => {
        this.#handle = handle;
      },
    );
    this.#inner = createLevelStore({ directory, log }, files);
  }

  async open(onFault: (error: Error) => void): Promise<StoreImage> {
    const { disk, level } = this.#options;
    if (!level.made) await makeStore(this.#options);
    const image = await this.#inner.open(onFault);
    this.#opening = false;
    disk.bootCount++;
    disk.sweep();
    compare(image, disk);
    return image;
  }

  write(ops: readonly StoreOp[], done: () => void): void {
    this.#flight = ops.map(ownCopy);
    this.#inner.write(ops, done);
  }

  row(group: number, key: Uint8Array): Uint8Array | undefined {
    const found = this.#inner.row(group, key);
    const wanted = this.#options.disk.groups.get(group)?.rows.get(key);
    check(isEqual(found, wanted), () => `a row of group ${group} is not what was written`);
    return found;
  }

  async rows(group: number, range: Parameters<Store['rows']>[1]): Promise<Row[]> {
    const wanted = this.#options.disk.groups.get(group)?.rows.range(range) ?? [];
    const found = await this.#inner.rows(group, range);
    const same =
      found.length === wanted.length &&
      found.every(([key, value], at) => {
        const [otherKey, otherValue] = wanted[at]!;
        return isEqual(key, otherKey) && isEqual(value, otherValue);
      });
    check(same, () => `rows of group ${group} are not those that were written`);
    return found;
  }

  readGroup(group: number): GroupReading {
    return this.#inner.readGroup(group);
  }

  stagedRows(group: number): RowReading {
    return this.#inner.stagedRows(group);
  }

  /** Of a store that was closed too: a node that has just stopped is looked at once more. */
  entries(group: number, lo: number, hi: number, maxBytes: number): Entry[] {
    if (!this.#closed) return this.#inner.entries(group, lo, hi, maxBytes);
    const stored = this.#options.disk.groups.get(group);
    const before = (stored?.truncated.index ?? 0) + 1;
    return (stored?.log ?? []).slice(lo - before, hi - before);
  }

  async close(): Promise<void> {
    await this.#inner.close();
    this.#closed = true;
  }

  /** The process ends; with `power`, what was not synced may be gone as well. */
  crash(options: { readonly power: boolean }): void {
    const { random, level } = this.#options;
    this.#handle?.abandon({ keepInFlight: coin(random) });
    this.#handle = undefined;
    this.#flight = undefined;
    if (options.power) level.lose(() => coin(random));
  }
}

/** A new store, with what `cluster init` has written into it, if that was done here. */
async function makeStore({ disk, level, log }: LevelStoreOptions): Promise<void> {
  const files = simLevelFiles({ disk: level });
  await createLevelStore({ directory, log }, files).create(disk.header!);
  const ops: StoreOp[] = [];
  for (const [group, { descriptor, log: entries, hard }] of disk.groups) {
    ops.push({ kind: 'descriptor', group, value: descriptor });
    ops.push({ kind: 'entries', group, entries });
    ops.push({ kind: 'hard', group, hard });
  }
  if (ops.length === 0) return;
  const store = createLevelStore({ directory, log }, files);
  await store.open(error => {
    throw error;
  });
  await new Promise<void>(done => store.write(ops, done));
  await store.close();
}

const isEqual = (left: Uint8Array | undefined, right: Uint8Array | undefined): boolean =>
  left === undefined || right === undefined
    ? left === right
    : Buffer.compare(Buffer.from(left), Buffer.from(right)) === 0;

/** What was opened is what was written. */
function compare(image: StoreImage, disk: WatchedDisk): void {
  const wanted = disk.image(image.header);
  const text = ({ header, bootCount, groups, tombstones, meta }: StoreImage): string[] => [
    `${header.clusterId} ${header.nodeId} ${header.storeId} ${bootCount}`,
    ...groups.map(group =>
      JSON.stringify({ ...group, descriptor: Buffer.from(group.descriptor).toString('hex') }),
    ),
    JSON.stringify([...tombstones].sort(([left], [right]) => left - right)),
    JSON.stringify(
      [...meta].map(([key, value]) => [key, Buffer.from(value).toString('hex')]).sort(),
    ),
  ];
  const [found, expected] = [text(image).sort(), text(wanted).sort()];
  const wrong = found.find((line, at) => line !== expected[at]) ?? expected[found.length];
  check(wrong === undefined, () => `a store opened with other content than was written: ${wrong}`);
}
