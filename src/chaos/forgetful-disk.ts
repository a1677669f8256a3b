/**
 * A disk with a cache that loses its content with the power, as disks have: what is written stays
 * in memory until the machine that uses it asks for a flush, and `cutPower` forgets it. A file
 * holds what was flushed. QEMU reaches it over a socket, see `nbd-server.ts`.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Draw } from './draw.ts';

/** What a disk writes whole or not at all. */
export const sectorBytes = 512;

/** More than this is not held back: a real cache writes by itself, too. */
const cacheBytesMax = 256 * 1024 * 1024;

export interface Forgotten {
  readonly lost: number;
  readonly kept: number;
}

export class ForgetfulDisk {
  readonly sizeBytes: number;
  readonly #file: number;
  /** Sectors that were written and not flushed. */
  readonly #cache = new Map<number, Buffer>();
  flushes = 0;

  /** `path` is a file of the size of the disk. */
  constructor(path: string) {
    this.#file = openSync(path, 'r+');
    this.sizeBytes = fstatSync(this.#file).size;
  }

  /** Whole sectors within the disk, which is all that a guest asks for. */
  covers(offset: number, length: number): boolean {
    const whole = offset % sectorBytes === 0 && length % sectorBytes === 0;
    return whole && offset + length <= this.sizeBytes;
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const read = readSync(this.#file, bytes, done, length - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    if (this.#cache.size === 0) return bytes;
    for (let place = 0; place < length; place += sectorBytes) {
      this.#cache.get((offset + place) / sectorBytes)?.copy(bytes, place);
    }
    return bytes;
  }

  write(offset: number, bytes: Buffer): void {
    if ((this.#cache.size + bytes.length / sectorBytes) * sectorBytes > cacheBytesMax) this.flush();
    for (let place = 0; place < bytes.length; place += sectorBytes) {
      // A copy: the buffer belongs to whoever received it.
      const sector = Buffer.from(bytes.subarray(place, place + sectorBytes));
      this.#cache.set((offset + place) / sectorBytes, sector);
    }
  }

  /** From here on what was written before cannot be lost. */
  flush(): void {
    this.flushes++;
    this.#keep([...this.#cache.keys()]);
  }

  /**
   * The power is gone. A disk promises nothing about what was not flushed: one time in three all of
   * it is lost, else every sector for itself by the toss of a coin, so that writes are lost that
   * came before ones that are not, and in pieces.
   */
  cutPower(draw: Draw): Forgotten {
    const held = [...this.#cache.keys()];
    const nothing = draw(3) === 0;
    const kept = nothing ? [] : held.filter(() => draw(2) === 0);
    this.#keep(kept);
    return { lost: held.length - kept.length, kept: kept.length };
  }

  #keep(sectors: number[]): void {
    sectors.sort((left, right) => left - right);
    for (let from = 0; from < sectors.length; ) {
      let to = from + 1;
      while (to < sectors.length && sectors[to] === sectors[to - 1]! + 1) to++;
      const run = sectors.slice(from, to).map(sector => this.#cache.get(sector)!);
      const bytes = Buffer.concat(run);
      for (let done = 0; done < bytes.length; ) {
        const at = sectors[from]! * sectorBytes + done;
        done += writeSync(this.#file, bytes, done, bytes.length - done, at);
      }
      from = to;
    }
    this.#cache.clear();
  }

  close(): void {
    closeSync(this.#file);
  }
}
