/** Looks at the room on the disk once a second, and keeps the ballast while there is enough. */
import type { Clock } from '../ports/clock.ts';
import type { Disk } from '../ports/disk.ts';
import type { Log } from '../ports/log.ts';
import { DiskRoom } from './disk-room.ts';
import type { Vitals } from './vitals.ts';

const everyMs = 1_000;
/** The ballast is looked at less often, and not in the busy time after a start. */
const ballastEveryMs = 5_000;

export interface DiskSettings {
  /** Kept free; a twentieth of the disk, 1 to 10 GiB, unless given. */
  readonly reserveBytes?: number | undefined;
  /** 0 for none. */
  readonly ballastBytes: number;
}

export class DiskWatch {
  readonly room: DiskRoom;
  readonly #disk: Disk;
  readonly #ballastBytes: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #vitals: Vitals;
  #ballastDueMs: number;
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();
  #cancel: () => void = () => undefined;

  constructor(deps: {
    readonly disk: Disk;
    /** Without them, the usual room is kept free and there is no ballast. */
    readonly settings: DiskSettings | undefined;
    readonly clock: Clock;
    readonly log: Log;
    /** Told when the disk becomes nearly full, and when it is no longer. */
    readonly vitals: Vitals;
  }) {
    this.#disk = deps.disk;
    this.#ballastBytes = deps.settings?.ballastBytes ?? 0;
    this.room = new DiskRoom(deps.settings?.reserveBytes);
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#vitals = deps.vitals;
    this.#ballastDueMs = deps.clock.nowMs() + ballastEveryMs;
  }

  /** The first look is over when this resolves; it never rejects. */
  async start(): Promise<void> {
    this.#looking = this.#look();
    await this.#looking;
    if (!this.#stopped) this.#cancel = this.#clock.after(everyMs, () => void this.start());
  }

  /** Resolves when nothing of it is under way: nobody writes to a directory that was let go. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    try {
      const { freeBytes, totalBytes } = await this.#disk.room();
      const before = this.room.low;
      this.room.measured(freeBytes, totalBytes);
      const { low } = this.room;
      if (low !== before) {
        const what = low ? 'the disk is nearly full: no new tasks here' : 'the disk has room again';
        this.#log.warn(what, { freeBytes, reserveBytes: this.room.reserveBytes });
        this.#vitals.diskLow = low;
      }
      await this.#keepBallast();
    } catch (error) {
      this.#log.warn('cannot look at the room on the disk', { why: String(error) });
    }
  }

  async #keepBallast(): Promise<void> {
    const bytes = this.#ballastBytes;
    if (bytes === 0 || this.#clock.nowMs() < this.#ballastDueMs) return;
    this.#ballastDueMs = this.#clock.nowMs() + ballastEveryMs;
    if (!this.room.hasRoomFor(bytes) || (await this.#disk.hasBallast())) return;
    if (await this.#disk.makeBallast(() => !this.#stopped)) {
      this.#log.info('made the ballast', { bytes });
    }
  }
}
