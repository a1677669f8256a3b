/**
 * Specs of the tasks in memory, by digest: 24 bytes each, 10 more in a shard where one of them has
 * an idempotency key, and a place in the index. What the shard decides from (`Traits`) equal specs
 * and most unequal ones share. The bytes of a spec stay only until they are stored; after that the
 * row is read by whoever needs it.
 *
 * A spec nobody uses is remembered for a while, so that a stream of short tasks of one spec writes
 * its row once. Spec numbers are local to this process.
 */
import { assert } from '../../model/assert.ts';
import { mix32 } from '../../model/slots.ts';
import type { SpecTerms } from '../../model/spec.ts';
import type { SpecOverrides } from '../../model/spec-overrides.ts';
import { digestLength, hexDigits } from '../keys.ts';
import { grown, resize16, resize32, type Words } from './columns.ts';
import { openTerms, TermsEncoder } from './kept-terms.ts';
import { type KeyHash, keyOf, type LineKey, lineOf } from './key-hash.ts';
import { RowIndex } from './row-index.ts';
import { SharedTraits, unknownNumber } from './shared-traits.ts';
import { type Traits, unknownTraits } from './traits.ts';

/** Specs remembered while nobody uses them. */
const idleSpecsMax = 4_096;
const digestWords = digestLength / 4;
const capacityMin = 16;
/** In the slot column: the spec has no idempotency key. */
const keyless = 0xffff;

export class SpecTable {
  #capacity = capacityMin;
  #digests: Words = new Uint32Array(capacityMin * digestWords);
  #uses: Words = new Uint32Array(capacityMin);
  /** Numbers of the traits. */
  #traits: Words = new Uint32Array(capacityMin);
  /** High and low word of the key's hash, by twos. Empty, as the next, until a spec has a key. */
  #keys: Words = new Uint32Array();
  #slots = new Uint16Array();
  #used = 0;
  readonly #free: number[] = [];
  readonly #index = new RowIndex(spec => mix32(this.#digests[spec * digestWords]!));
  #size = 0;
  readonly #shared = new SharedTraits();
  readonly #encoder = new TermsEncoder();
  readonly #unstored = new Map<number, Uint8Array>();
  /** Of the specs that have one. */
  readonly #lines = new Map<number, LineKey>();
  /** Specs that no task uses, the one that fell out of use first in front. */
  readonly #idle = new Set<number>();

  get size(): number {
    return this.#size;
  }

  /** Of the columns and the index. */
  get bytes(): number {
    const columns = [this.#digests, this.#uses, this.#traits, this.#keys, this.#slots];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, this.#index.bytes);
  }

  get traitsCount(): number {
    return this.#shared.count;
  }

  /** Number of a spec, or -1. `digest` is four words. */
  find(digest: Uint32Array): number {
    const index = this.#index;
    for (let place = index.home(mix32(digest[0]!)); ; place = index.next(place)) {
      const spec = index.at(place);
      if (spec < 0 || this.hasDigest(spec, digest)) return spec;
    }
  }

  hasDigest(spec: number, digest: Uint32Array): boolean {
    const at = spec * digestWords;
    for (let word = 0; word < digestWords; word++) {
      if (this.#digests[at + word] !== digest[word]) return false;
    }
    return true;
  }

  /**
   * Adds a spec that is not there yet, not used by any task. With `bytes` its row is still to be
   * written; without, it is stored already.
   */
  add(
    digest: Uint32Array,
    traits: Traits,
    keys: { readonly key?: KeyHash | undefined; readonly line?: LineKey | undefined } | undefined,
    bytes?: Uint8Array,
  ): number {
    const spec = this.#free.pop() ?? this.#used++;
    if (spec === this.#capacity) this.#grow();
    // Without a view of its own: a start adds all specs.
    for (let word = 0; word < digestWords; word++) {
      this.#digests[spec * digestWords + word] = digest[word]!;
    }
    this.#setKeys(spec, keys?.key, keys?.line);
    this.#uses[spec] = 0;
    this.#traits[spec] = this.#shared.take(traits);
    if (bytes !== undefined) this.#unstored.set(spec, bytes);
    this.#size++;
    this.#index.add(spec);
    this.#idle.add(spec);
    return spec;
  }

  /**
   * Adds a spec that a stored task refers to and whose row has not been read yet; `learn` completes
   * it, and until then it has no traits.
   */
  expect(digest: Uint32Array): number {
    return this.add(digest, unknownTraits, undefined);
  }

  learn(spec: number, content: SpecTerms): void {
    this.#traits[spec] = this.#shared.take(this.#shared.of(content));
    this.#setKeys(spec, keyOf(content), lineOf(content));
  }

  /** As `learn`, from what `keptTerms` gave and the hash of the idempotency key. */
  learnKept(
    spec: number,
    terms: Uint8Array,
    hash: { readonly high: number; readonly low: number } | undefined,
  ): void {
    const { traits, keys } = openTerms(terms, hash);
    this.#traits[spec] = this.#shared.take(this.#shared.ofBytes(traits));
    this.#setKeys(spec, keys.key, keys.line);
  }

  /** What is kept of a spec, to stand in the rows of its tasks; a few have too much of it. */
  keptTerms(spec: number): Uint8Array | undefined {
    return this.#encoder.encode(this.traits(spec), { key: this.key(spec), line: this.line(spec) });
  }

  #setKeys(spec: number, key: KeyHash | undefined, line: LineKey | undefined): void {
    if (line !== undefined) this.#lines.set(spec, line);
    if (this.#slots.length === 0) {
      if (key === undefined) return;
      this.#keys = new Uint32Array(this.#capacity * 2);
      this.#slots = new Uint16Array(this.#capacity).fill(keyless);
    }
    this.#keys[spec * 2] = key?.high ?? 0;
    this.#keys[spec * 2 + 1] = key?.low ?? 0;
    this.#slots[spec] = key?.slot ?? keyless;
  }

  isLearned(spec: number): boolean {
    return this.#traits[spec] !== unknownNumber;
  }

  #grow(): void {
    this.#capacity = grown(this.#capacity);
    this.#digests = resize32(this.#digests, this.#capacity * digestWords);
    this.#uses = resize32(this.#uses, this.#capacity);
    this.#traits = resize32(this.#traits, this.#capacity);
    if (this.#slots.length === 0) return;
    this.#keys = resize32(this.#keys, this.#capacity * 2);
    this.#slots = resize16(this.#slots, this.#capacity);
  }

  /** Traits of a spec as the one object that equal specs share; not counted until `add`. */
  internTraits(spec: SpecTerms): Traits {
    return this.#shared.of(spec);
  }

  /** Traits of a spec, as they are of a task of which somebody changed this; for `giveBack`. */
  takeChanged(spec: number, changes: SpecOverrides): Traits {
    const traits = this.#shared.ofChanged(this.traits(spec), changes);
    this.#shared.take(traits);
    return traits;
  }

  giveBack(traits: Traits): void {
    this.#shared.giveBack(traits);
  }

  /** Forgets traits that `internTraits` gave and no spec took. */
  dropUnusedTraits(traits: Traits): void {
    this.#shared.dropUnused(traits);
  }

  traits(spec: number): Traits {
    return this.#shared.at(this.#traits[spec]!);
  }

  key(spec: number): KeyHash | undefined {
    const slot = this.#slots[spec];
    if (slot === undefined || slot === keyless) return undefined;
    return { high: this.#keys[spec * 2]!, low: this.#keys[spec * 2 + 1]!, slot };
  }

  line(spec: number): LineKey | undefined {
    return this.#lines.get(spec);
  }

  /** First 32 bits of the digest. */
  digestWord(spec: number): number {
    return this.#digests[spec * digestWords]!;
  }

  /** Writes the four words of the digest to `out`. */
  copyDigest(spec: number, out: Uint32Array): void {
    const at = spec * digestWords;
    for (let word = 0; word < digestWords; word++) out[word] = this.#digests[at + word]!;
  }

  digestHex(spec: number): string {
    let text = '';
    for (let word = 0; word < digestWords; word++) {
      const value = this.#digests[spec * digestWords + word]!;
      for (let shift = 28; shift >= 0; shift -= 4) text += hexDigits[(value >>> shift) & 15]!;
    }
    return text;
  }

  uses(spec: number): number {
    return this.#uses[spec]!;
  }

  use(spec: number): void {
    if (this.#uses[spec]!++ === 0) this.#idle.delete(spec);
  }

  release(spec: number): void {
    assert(this.#uses[spec]! > 0, 'a spec is released as often as it was used');
    if (--this.#uses[spec]! > 0) return;
    this.#idle.add(spec);
    if (this.#idle.size > idleSpecsMax) this.#dropIdle();
  }

  /** No task has the spec any more and its row goes: the next submit of it stores it again. */
  drop(spec: number): void {
    assert(this.#uses[spec] === 0, 'the spec of a task that is left stays');
    this.#unstored.delete(spec);
    this.#idle.delete(spec);
    this.#remove(spec);
  }

  /** Drops the older half of the specs that no task uses. */
  #dropIdle(): void {
    let excess = this.#idle.size - idleSpecsMax / 2;
    for (const spec of this.#idle) {
      if (excess-- <= 0) break;
      if (this.#unstored.has(spec)) continue;
      this.#idle.delete(spec);
      this.#remove(spec);
    }
  }

  #remove(spec: number): void {
    this.#index.remove(spec);
    this.#lines.delete(spec);
    this.giveBack(this.traits(spec));
    this.#free.push(spec);
    this.#size--;
  }

  /** Bytes of a spec whose row is not stored yet. */
  unstored(spec: number): Uint8Array | undefined {
    return this.#unstored.get(spec);
  }

  /** These bytes are stored; the number may belong to another spec by now. */
  stored(spec: number, bytes: Uint8Array): void {
    if (this.#unstored.get(spec) === bytes) this.#unstored.delete(spec);
  }
}
