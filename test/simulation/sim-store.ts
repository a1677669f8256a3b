/**
 * The simulator's disk: the store in memory on virtual time. A write ends after a drawn delay; a
 * crash keeps every write that ended and, by a drawn bit, the one in flight as a whole or not at
 * all. Everything follows from the generator and the order of calls; nothing is encoded.
 *
 * `createNow`, `openNow`, `rowsNow` and `closeNow` do without promises, for drivers that must not
 * wait for a microtask.
 */
import { TschedError } from '../../src/model/errors.ts';
import type { Random } from '../../src/ports/clock.ts';
import type { StoreImage } from '../../src/ports/store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';

/** As LevelDB says it. */
export const noRoom = 'IO error: store/000007.log: No space left on device';

export interface SimStoreFaults {
  /** A write takes this long, drawn evenly; 1 to 4 ms where nothing is said. */
  readonly writeMsMin?: number | undefined;
  readonly writeMsMax?: number | undefined;
  /** Of a million writes, so many take up to `slowMsMax` (500 ms) instead; none by default. */
  readonly slowPerMillion?: number | undefined;
  readonly slowMsMax?: number | undefined;
  /** Of a million writes, so many fail: the store reports a fault and is dead. None by default. */
  readonly failPerMillion?: number | undefined;
  /** No room is left: whatever is written fails. */
  readonly full?: boolean | undefined;
}

export interface SimStoreOptions {
  /** Virtual time: calls `fire` once after `delayMs`. */
  readonly scheduler: { after(delayMs: number, fire: () => void): unknown };
  readonly random: Random;
  readonly faults?: SimStoreFaults | undefined;
  /** What survived before; an empty disk by default. */
  readonly disk?: MemoryDisk | undefined;
}

export class SimStore extends MemoryStore {
  readonly #options: SimStoreOptions;

  constructor(options: SimStoreOptions) {
    super({
      disk: options.disk ?? new MemoryDisk(),
      schedule: finish => {
        const { faults } = this.#options;
        const failing = drawn(options.random, faults?.failPerMillion ?? 0);
        options.scheduler.after(drawDelay(options.random, faults ?? {}), () => {
          const full = faults?.full === true;
          if (!failing && !full) finish();
          else if (this.busy) this.#failWrite(full ? noRoom : 'the simulated disk failed');
        });
      },
    });
    this.#options = options;
  }

  override openNow(onFault: (error: Error) => void): StoreImage {
    // Each open writes.
    if (this.#options.faults?.full === true) throw new TschedError('storageFault', noRoom);
    return super.openNow(onFault);
  }

  /** The process or the machine dies: no callback comes any more. */
  crash(_options?: { readonly power: boolean }): void {
    this.abandon({ keepInFlight: coin(this.#options.random) });
  }

  #failWrite(why: string): void {
    this.fail(why, { keepInFlight: coin(this.#options.random) });
  }

  /** A new handle on what survived, of the same disk, time and generator. */
  reopen(): SimStore {
    return new SimStore({ ...this.#options, disk: this.disk });
  }
}

export const drawn = (random: Random, perMillion: number): boolean =>
  perMillion > 0 && random.uint32() % 1_000_000 < perMillion;

/** The highest bit: the low ones of a small generator repeat soon. */
export const coin = (random: Random): boolean => random.uint32() >= 0x8000_0000;

export function drawDelay(random: Random, faults: SimStoreFaults): number {
  const low = faults.writeMsMin ?? 1;
  const high = faults.writeMsMax ?? Math.max(low, 4);
  const slow = drawn(random, faults.slowPerMillion ?? 0);
  const most = slow ? Math.max(high, faults.slowMsMax ?? 500) : high;
  return low + (random.uint32() % (most - low + 1));
}

/** A disk of the simulator, empty unless `disk` is given. */
export function createSimStore(options: SimStoreOptions): SimStore {
  return new SimStore(options);
}
