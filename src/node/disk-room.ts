/**
 * Whether the disk is nearly full, decided from what was measured. Pure. What is refused then is
 * what would grow without an end: new tasks. What is in the logs is still applied, and tasks settle
 * and free their room in the end; for that the reserve is kept.
 *
 * The reserve is what may still be written then: logs up to their bounds (64 MiB a group), tables
 * that LevelDB writes anew before it drops the old ones, output of what runs. None of that grows
 * with the disk, so a twentieth of a large one would keep room from tasks for nothing.
 *
 *   room -> low    free < reserve
 *   low  -> room   free >= reserve and a quarter of it more
 */
import { TschedError } from '../model/errors.ts';
import { formatSize } from '../model/resources.ts';

const gib = 1024 ** 3;
const reserveBytesMin = gib;
const reserveBytesMax = 10 * gib;
const reserveShare = 0.05;
/** Left above the reserve once the ballast is made, so that it never makes a disk low by itself. */
const ballastSpareBytes = 64 * 1024 ** 2;

export class DiskRoom {
  readonly #reserveGiven: number | undefined;
  #freeBytes: number | undefined;
  #totalBytes = 0;
  #low = false;

  constructor(reserveBytes: number | undefined) {
    this.#reserveGiven = reserveBytes;
  }

  get low(): boolean {
    return this.#low;
  }

  /** `undefined` before the first look. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  get reserveBytes(): number {
    const share = Math.min(this.#totalBytes * reserveShare, reserveBytesMax);
    return this.#reserveGiven ?? Math.max(reserveBytesMin, share);
  }

  measured(freeBytes: number, totalBytes: number): void {
    this.#freeBytes = freeBytes;
    this.#totalBytes = totalBytes;
    const wanted = this.#low ? this.reserveBytes * 1.25 : this.reserveBytes;
    this.#low = freeBytes < wanted;
  }

  /** Whether a ballast of this size can be made without coming near the reserve. */
  hasRoomFor(ballastBytes: number): boolean {
    if (this.#low || this.#freeBytes === undefined) return false;
    return this.#freeBytes - ballastBytes - ballastSpareBytes >= this.reserveBytes * 1.25;
  }

  /** For a person. */
  describe(): string {
    const free = formatSize(Math.floor(this.#freeBytes ?? 0));
    return `its disk has ${free} left, ${formatSize(Math.floor(this.reserveBytes))} are kept free`;
  }
}

/** Whatever settles tasks still goes into the log; only what adds some is refused. */
export const diskFull = (shard: number): TschedError =>
  new TschedError('diskFull', `the disk of the node that leads shard ${shard} is nearly full`, {
    retryAfterMs: 5_000,
  });
