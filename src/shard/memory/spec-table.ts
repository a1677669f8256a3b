/**
 * Specs of the tasks in memory, by digest: 34 bytes each plus what the shard decides from
 * (`Traits`), which equal specs and most unequal ones share. The bytes of a spec stay only until
 * they are stored; after that the row is read by whoever needs it.
 *
 * A spec nobody uses is remembered for a while, so that a stream of short tasks of one spec writes
 * its row once. Spec numbers are local to this process.
 */
import { assert } from '../../model/assert.ts';
import type { Demand, Lane } from '../../model/planning.ts';
import { mix32 } from '../../model/slots.ts';
import type { SpecTerms } from '../../model/spec.ts';
import type { SpecOverrides } from '../../model/spec-overrides.ts';
import { digestLength, hexDigits } from '../keys.ts';
import { type KeyHash, keyOf, type LineKey, lineOf } from './key-hash.ts';
import {
  changedTraits,
  hasTraits,
  type Traits,
  type TraitValues,
  textOfTraits,
  traitsOfSpec,
  unknownTraits,
} from './traits.ts';

/** Specs remembered while nobody uses them. */
const idleSpecsMax = 4_096;
const digestWords = digestLength / 4;
const capacityMin = 16;
/** In the slot column: the spec has no idempotency key. */
const keyless = 0xffff;

export class SpecTable {
  #digests = new Uint32Array(capacityMin * digestWords);
  /** High and low word of the key's hash, by twos. */
  #keys = new Uint32Array(capacityMin * 2);
  #slots = new Uint16Array(capacityMin);
  #uses = new Uint32Array(capacityMin);
  #traits: (Traits | undefined)[] = [];
  #used = 0;
  readonly #free: number[] = [];
  /** Open addressing over digests: spec + 1, or 0. At most half full. */
  #index = new Uint32Array(capacityMin * 2);
  #size = 0;
  readonly #traitsByText = new Map<string, Traits>();
  #newestTraits: Traits | undefined;
  readonly #demands = new Map<string, { readonly demand: Demand; uses: number }>();
  readonly #lanes = new Map<string, { readonly lane: Lane; uses: number }>();
  readonly #unstored = new Map<number, Uint8Array>();
  /** Of the specs that have one. */
  readonly #lines = new Map<number, LineKey>();
  /** Specs that no task uses, the one that fell out of use first in front. */
  readonly #idle = new Set<number>();

  get size(): number {
    return this.#size;
  }

  get traitsCount(): number {
    return this.#traitsByText.size;
  }

  #home(first: number): number {
    return mix32(first) & (this.#index.length - 1);
  }

  /** Number of a spec, or -1. `digest` is four words. */
  find(digest: Uint32Array): number {
    const mask = this.#index.length - 1;
    let place = this.#home(digest[0]!);
    for (;;) {
      const spec = this.#index[place]! - 1;
      if (spec < 0) return -1;
      if (this.hasDigest(spec, digest)) return spec;
      place = (place + 1) & mask;
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
    if (spec * digestWords >= this.#digests.length) this.#grow();
    // Without a view of its own: a start adds all specs.
    for (let word = 0; word < digestWords; word++) {
      this.#digests[spec * digestWords + word] = digest[word]!;
    }
    this.#setKeys(spec, keys?.key, keys?.line);
    this.#uses[spec] = 0;
    this.#traits[spec] = traits;
    traits.uses++;
    if (bytes !== undefined) this.#unstored.set(spec, bytes);
    this.#size++;
    if (this.#size * 2 > this.#index.length) this.#reindex();
    else this.#indexSpec(spec);
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
    const traits = this.internTraits(content);
    traits.uses++;
    this.#traits[spec] = traits;
    this.#setKeys(spec, keyOf(content), lineOf(content));
  }

  #setKeys(spec: number, key: KeyHash | undefined, line: LineKey | undefined): void {
    this.#keys[spec * 2] = key?.high ?? 0;
    this.#keys[spec * 2 + 1] = key?.low ?? 0;
    this.#slots[spec] = key?.slot ?? keyless;
    if (line !== undefined) this.#lines.set(spec, line);
  }

  isLearned(spec: number): boolean {
    return this.#traits[spec]!.text !== '';
  }

  #grow(): void {
    const capacity = (this.#digests.length / digestWords) * 2;
    this.#digests = new Uint32Array(this.#digests.buffer.transfer(capacity * digestWords * 4));
    this.#keys = new Uint32Array(this.#keys.buffer.transfer(capacity * 2 * 4));
    this.#slots = new Uint16Array(this.#slots.buffer.transfer(capacity * 2));
    this.#uses = new Uint32Array(this.#uses.buffer.transfer(capacity * 4));
  }

  #indexSpec(spec: number): void {
    const mask = this.#index.length - 1;
    let place = this.#home(this.#digests[spec * digestWords]!);
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = spec + 1;
  }

  #reindex(): void {
    this.#index = new Uint32Array(this.#index.length * 2);
    for (let spec = 0; spec < this.#used; spec++) {
      if (this.#traits[spec] !== undefined) this.#indexSpec(spec);
    }
  }

  /** Traits of a spec as the one object that equal specs share; not counted until `add`. */
  internTraits(spec: SpecTerms): Traits {
    // Specs that follow one another mostly differ in their command only: no text is built for
    // those.
    const newest = this.#newestTraits;
    if (newest !== undefined && hasTraits(spec, newest)) return newest;
    const traits = this.#intern(traitsOfSpec(spec));
    this.#newestTraits = traits;
    return traits;
  }

  /** The one object for all traits with these values. */
  #intern(wanted: TraitValues): Traits {
    const text = textOfTraits(wanted);
    const known = this.#traitsByText.get(text);
    if (known !== undefined) return known;
    let demand = this.#demands.get(wanted.demand.key);
    if (demand === undefined) {
      demand = { demand: wanted.demand, uses: 0 };
      this.#demands.set(wanted.demand.key, demand);
    }
    demand.uses++;
    let lane = this.#lanes.get(wanted.lane.key);
    if (lane === undefined) {
      lane = { lane: { ...wanted.lane, demand: demand.demand }, uses: 0 };
      this.#lanes.set(wanted.lane.key, lane);
    }
    lane.uses++;
    const traits = { ...wanted, demand: demand.demand, lane: lane.lane, uses: 0, text };
    this.#traitsByText.set(text, traits);
    return traits;
  }

  /** Traits of a spec, as they are of a task of which somebody changed this; for `giveBack`. */
  takeChanged(spec: number, changes: SpecOverrides): Traits {
    const traits = this.#intern(changedTraits(this.traits(spec), changes));
    traits.uses++;
    return traits;
  }

  giveBack(traits: Traits): void {
    traits.uses--;
    this.dropUnusedTraits(traits);
  }

  /** Forgets traits that `internTraits` gave and no spec took. */
  dropUnusedTraits(traits: Traits): void {
    if (traits.uses > 0 || !this.#traitsByText.delete(traits.text)) return;
    if (this.#newestTraits === traits) this.#newestTraits = undefined;
    const demand = this.#demands.get(traits.demand.key);
    if (demand !== undefined && --demand.uses === 0) this.#demands.delete(traits.demand.key);
    const lane = this.#lanes.get(traits.lane.key);
    if (lane !== undefined && --lane.uses === 0) this.#lanes.delete(traits.lane.key);
  }

  traits(spec: number): Traits {
    return this.#traits[spec]!;
  }

  key(spec: number): KeyHash | undefined {
    const slot = this.#slots[spec]!;
    if (slot === keyless) return undefined;
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
    const index = this.#index;
    const mask = index.length - 1;
    let hole = this.#home(this.#digests[spec * digestWords]!);
    while (index[hole] !== spec + 1) hole = (hole + 1) & mask;
    for (let place = (hole + 1) & mask; index[place] !== 0; place = (place + 1) & mask) {
      const home = this.#home(this.#digests[(index[place]! - 1) * digestWords]!);
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        index[hole] = index[place]!;
        hole = place;
      }
    }
    index[hole] = 0;
    const traits = this.#traits[spec]!;
    this.#traits[spec] = undefined;
    this.#lines.delete(spec);
    this.giveBack(traits);
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
