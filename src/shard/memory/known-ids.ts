/**
 * What stays in memory of tasks that are settled: enough to recognise their IDs and idempotency
 * keys until they expire, at 16 bytes an ID and 24 a key, in tables that are up to three quarters
 * full.
 *
 * Both are open-addressing tables with linear probing in one `Uint32Array`. The order inside a
 * table depends on history, so a table is looked up, never iterated, by apply.
 */
import { assert } from '../../model/assert.ts';
import { hashWords, idWordCount, idWordMask } from './id-words.ts';
import {
  fewerPlaces,
  homeOf,
  isRoomy,
  morePlaces,
  nextPlace,
  placesMin,
  removeAt,
} from './open-table.ts';

/** A stored first word always has this bit, so that 0 means empty. */
const occupied = 0x80000000;

/**
 * Settled task IDs, exact, each with 27 bits of its spec's digest: a second submit of a settled ID
 * is answered by these bits on every replica, whether the row is still in memory there or not.
 */
export class SettledIds {
  readonly #probe = new Uint32Array(idWordCount);
  #entries = new Uint32Array(placesMin * idWordCount);
  #places = placesMin;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** Offset of the entry of `words`, or of the empty place where it would go. */
  #locate(words: Uint32Array): number {
    const [a, b, c, d] = [words[0]!, words[1]!, words[2]!, words[3]!];
    const entries = this.#entries;
    let place = homeOf(hashWords(a, b, c, d), this.#places);
    for (;;) {
      const at = place * idWordCount;
      const first = entries[at]!;
      if (first === 0) return at;
      if (
        (first & idWordMask) === a &&
        (entries[at + 1]! & idWordMask) === b &&
        (entries[at + 2]! & idWordMask) === c &&
        (entries[at + 3]! & idWordMask) === d
      ) {
        return at;
      }
      place = nextPlace(place, this.#places);
    }
  }

  has(words: Uint32Array): boolean {
    return this.#entries[this.#locate(words)] !== 0;
  }

  /** Whether the ID is known and its digest, as far as it is kept, starts with `digestWord`. */
  matches(words: Uint32Array, digestWord: number): boolean {
    const at = this.#locate(words);
    if (this.#entries[at] === 0) return false;
    writeSpare(this.#probe, 0, words, digestWord);
    for (let word = 0; word < idWordCount; word++) {
      if (this.#entries[at + word] !== this.#probe[word]) return false;
    }
    return true;
  }

  /** Adds an ID that is not there yet; `digestWord` is the first 32 bits of its spec's digest. */
  add(words: Uint32Array, digestWord: number): void {
    if (this.#count * 4 >= this.#places * 3) this.#resize(morePlaces(this.#places));
    const at = this.#locate(words);
    assert(this.#entries[at] === 0, 'a task settles once');
    writeSpare(this.#entries, at, words, digestWord);
    this.#count++;
  }

  /** Forgets an ID that is there. */
  remove(words: Uint32Array): void {
    const at = this.#locate(words);
    const entries = this.#entries;
    assert(entries[at] !== 0, 'only a settled task is forgotten');
    const [places, bits] = [this.#places, idWordMask];
    const homeAt = (of: number): number => {
      const [a, b, c, d] = [entries[of]!, entries[of + 1]!, entries[of + 2]!, entries[of + 3]!];
      return homeOf(hashWords(a & bits, b & bits, c & bits, d & bits), places);
    };
    removeAt({ entries, words: idWordCount, marker: 0, homeAt }, at);
    this.#count--;
    if (isRoomy(this.#count, places)) this.#resize(fewerPlaces(places));
  }

  #resize(places: number): void {
    const old = this.#entries;
    this.#places = places;
    this.#entries = new Uint32Array(places * idWordCount);
    const words = new Uint32Array(idWordCount);
    for (let from = 0; from < old.length; from += idWordCount) {
      if (old[from] === 0) continue;
      for (let word = 0; word < idWordCount; word++) words[word] = old[from + word]! & idWordMask;
      this.#entries.set(old.subarray(from, from + idWordCount), this.#locate(words));
    }
  }
}

/** Puts ID words at `at` with 27 bits of the digest in their spare bits: 6 + 7 + 7 + 7. */
function writeSpare(out: Uint32Array, at: number, words: Uint32Array, digest: number): void {
  out[at] = words[0]! | occupied | ((digest >>> 26) << 25);
  out[at + 1] = words[1]! | (((digest >>> 19) & 0x7f) << 25);
  out[at + 2] = words[2]! | (((digest >>> 12) & 0x7f) << 25);
  out[at + 3] = words[3]! | (((digest >>> 5) & 0x7f) << 25);
}

const keyWordCount = 6;

/**
 * Idempotency keys by a 64-bit hash of tenant and key, each with the ID of the task that has it.
 * Two keys of one hash would be taken for one: with ten million keys in a shard the odds are 1 to
 * 370,000.
 */
export class KnownKeys {
  #entries = new Uint32Array(placesMin * keyWordCount);
  #places = placesMin;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  #locate(high: number, low: number): number {
    const entries = this.#entries;
    let place = homeOf(high ^ low, this.#places);
    for (;;) {
      const at = place * keyWordCount;
      if (entries[at + 2] === 0 || (entries[at] === high && entries[at + 1] === low)) return at;
      place = nextPlace(place, this.#places);
    }
  }

  /** Writes the ID words of the task that has the key to `out`; false where no task has it. */
  find(high: number, low: number, out: Uint32Array): boolean {
    const at = this.#locate(high, low);
    if (this.#entries[at + 2] === 0) return false;
    for (let word = 0; word < idWordCount; word++) {
      out[word] = this.#entries[at + 2 + word]! & idWordMask;
    }
    return true;
  }

  /** Adds a key that is not there yet. */
  add(high: number, low: number, words: Uint32Array): void {
    if (this.#count * 4 >= this.#places * 3) this.#resize(morePlaces(this.#places));
    const at = this.#locate(high, low);
    assert(this.#entries[at + 2] === 0, 'an idempotency key belongs to one task');
    this.#entries[at] = high;
    this.#entries[at + 1] = low;
    this.#entries.set(words.subarray(0, idWordCount), at + 2);
    this.#entries[at + 2] = words[0]! | occupied;
    this.#count++;
  }

  /** Frees a key where it is the task's; the key of another task stays. */
  remove(high: number, low: number, words: Uint32Array): void {
    const at = this.#locate(high, low);
    const entries = this.#entries;
    if (entries[at + 2] === 0) return;
    for (let word = 0; word < idWordCount; word++) {
      if ((entries[at + 2 + word]! & idWordMask) !== words[word]) return;
    }
    const places = this.#places;
    const homeAt = (of: number): number => homeOf(entries[of]! ^ entries[of + 1]!, places);
    removeAt({ entries, words: keyWordCount, marker: 2, homeAt }, at);
    this.#count--;
    if (isRoomy(this.#count, places)) this.#resize(fewerPlaces(places));
  }

  #resize(places: number): void {
    const old = this.#entries;
    this.#places = places;
    this.#entries = new Uint32Array(places * keyWordCount);
    for (let from = 0; from < old.length; from += keyWordCount) {
      if (old[from + 2] === 0) continue;
      const at = this.#locate(old[from]!, old[from + 1]!);
      this.#entries.set(old.subarray(from, from + keyWordCount), at);
    }
  }
}
