/**
 * Traits as one object for all specs that have them, by numbers of four bytes. So are the demands
 * and lanes in them: whoever waits for the same is known by the same object.
 */
import { sameBytes } from '../../model/bytes.ts';
import type { Demand, Lane } from '../../model/planning.ts';
import type { SpecTerms } from '../../model/spec.ts';
import type { SpecOverrides } from '../../model/spec-overrides.ts';
import { readTraits } from './kept-terms.ts';
import {
  changedTraits,
  hasTraits,
  type Traits,
  type TraitValues,
  textOfTraits,
  traitsOfSpec,
  unknownTraits,
} from './traits.ts';

/** Of `unknownTraits`. */
export const unknownNumber = 0;

export class SharedTraits {
  readonly #byText = new Map<string, Traits>();
  #newest: Traits | undefined;
  #newestRead: { readonly bytes: Uint8Array; readonly traits: Traits } | undefined;
  readonly #demands = new Map<string, { readonly demand: Demand; uses: number }>();
  readonly #lanes = new Map<string, { readonly lane: Lane; uses: number }>();
  /** Those that somebody has taken, by their numbers. */
  readonly #taken: (Traits | undefined)[] = [unknownTraits];
  readonly #free: number[] = [];

  get count(): number {
    return this.#byText.size;
  }

  /** The traits of a number that `take` gave. */
  at(number: number): Traits {
    return this.#taken[number]!;
  }

  /** The one object for the traits of a spec; whoever keeps it takes it. */
  of(spec: SpecTerms): Traits {
    // Specs that follow one another mostly differ in their command only: no text is built for
    // those.
    const newest = this.#newest;
    if (newest !== undefined && hasTraits(spec, newest)) return newest;
    const traits = this.#intern(traitsOfSpec(spec));
    this.#newest = traits;
    return traits;
  }

  /** As `of`, from the bytes of kept terms. */
  ofBytes(bytes: Uint8Array): Traits {
    const newest = this.#newestRead;
    if (newest !== undefined && sameBytes(newest.bytes, bytes)) return newest.traits;
    const traits = this.#intern(readTraits(bytes));
    this.#newestRead = { bytes: bytes.slice(), traits };
    return traits;
  }

  /** As `of`, for a task of which somebody changed this. */
  ofChanged(traits: Traits, changes: SpecOverrides): Traits {
    return this.#intern(changedTraits(traits, changes));
  }

  #intern(wanted: TraitValues): Traits {
    const text = textOfTraits(wanted);
    const known = this.#byText.get(text);
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
    const shared = { demand: demand.demand, lane: lane.lane };
    const traits = { ...wanted, ...shared, uses: 0, number: unknownNumber, text };
    this.#byText.set(text, traits);
    return traits;
  }

  /** Counts one more that has them; answers the number they have as long as somebody does. */
  take(traits: Traits): number {
    if (traits === unknownTraits) return unknownNumber;
    if (traits.uses++ === 0) {
      traits.number = this.#free.pop() ?? this.#taken.length;
      this.#taken[traits.number] = traits;
    }
    return traits.number;
  }

  giveBack(traits: Traits): void {
    if (traits === unknownTraits || --traits.uses > 0) return;
    this.#taken[traits.number] = undefined;
    this.#free.push(traits.number);
    this.dropUnused(traits);
  }

  /** Forgets traits that nobody took. */
  dropUnused(traits: Traits): void {
    if (traits.uses > 0 || !this.#byText.delete(traits.text)) return;
    if (this.#newest === traits) this.#newest = undefined;
    if (this.#newestRead?.traits === traits) this.#newestRead = undefined;
    const demand = this.#demands.get(traits.demand.key);
    if (demand !== undefined && --demand.uses === 0) this.#demands.delete(traits.demand.key);
    const lane = this.#lanes.get(traits.lane.key);
    if (lane !== undefined && --lane.uses === 0) this.#lanes.delete(traits.lane.key);
  }
}
