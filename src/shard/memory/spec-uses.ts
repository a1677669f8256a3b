/**
 * How many tasks a shard has of each spec, the settled ones that it keeps included: the row of a
 * spec goes with the last of its tasks. 12 bytes a spec (twice that at the worst load of the
 * table), by the first 64 bits of its digest: two specs that share those are counted as one, and
 * then the row of one of them stays for ever.
 *
 * Not iterated: as in `known-ids.ts`, the order inside the table depends on history.
 */
import { assert } from '../../model/assert.ts';
import { mix32 } from '../../model/slots.ts';
import { removeAt } from './open-table.ts';

const placesMin = 16;
const wordCount = 3;

export class SpecUses {
  /** First two words of the digest, then the count; 0 there means an empty place. */
  #entries = new Uint32Array(placesMin * wordCount);
  #mask = placesMin - 1;
  #specs = 0;
  #tasks = 0;

  /** Tasks counted. */
  get tasks(): number {
    return this.#tasks;
  }

  /** Specs that some task has. */
  get specs(): number {
    return this.#specs;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  #locate(high: number, low: number): number {
    const entries = this.#entries;
    let place = mix32(high) & this.#mask;
    for (;;) {
      const at = place * wordCount;
      if (entries[at + 2] === 0 || (entries[at] === high && entries[at + 1] === low)) return at;
      place = (place + 1) & this.#mask;
    }
  }

  count(digest: Uint32Array): number {
    return this.#entries[this.#locate(digest[0]!, digest[1]!) + 2]!;
  }

  add(digest: Uint32Array): void {
    if (this.#specs * 4 >= (this.#mask + 1) * 3) this.#resize((this.#mask + 1) * 2);
    const at = this.#locate(digest[0]!, digest[1]!);
    this.#entries[at] = digest[0]!;
    this.#entries[at + 1] = digest[1]!;
    if (this.#entries[at + 2]!++ === 0) this.#specs++;
    this.#tasks++;
  }

  /** One task less; true where that was the last of its spec. */
  remove(digest: Uint32Array): boolean {
    const at = this.#locate(digest[0]!, digest[1]!);
    const entries = this.#entries;
    assert(entries[at + 2] !== 0, 'a task that goes was counted');
    this.#tasks--;
    if (--entries[at + 2]! > 0) return false;
    const mask = this.#mask;
    const homeOf = (of: number): number => mix32(entries[of]!) & mask;
    removeAt({ entries, words: wordCount, mask, marker: 2, homeOf }, at);
    this.#specs--;
    if (this.#specs * 8 < mask + 1 && mask >= placesMin) this.#resize((mask + 1) / 2);
    return true;
  }

  #resize(places: number): void {
    const old = this.#entries;
    this.#mask = places - 1;
    this.#entries = new Uint32Array(places * wordCount);
    for (let from = 0; from < old.length; from += wordCount) {
      if (old[from + 2] === 0) continue;
      const at = this.#locate(old[from]!, old[from + 1]!);
      this.#entries.set(old.subarray(from, from + wordCount), at);
    }
  }
}
