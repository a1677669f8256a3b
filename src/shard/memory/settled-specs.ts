/**
 * How many settled tasks a shard has of each spec: the row of a spec goes with the last of its
 * tasks, and of those that have not settled the spec table knows. 16 bytes a spec in a table that
 * is up to three quarters full, by the first 64 bits of its digest: two specs that share those are
 * counted as one, and then the row of one of them stays for ever.
 *
 * A spec is of one tenant, so the same table says how many settled tasks a shard has of each: of a
 * settled task memory has no more than the ID, and what expires is named with its spec. For the
 * leader, who keeps the history of each tenant within its bounds; nothing in apply is decided from
 * it.
 *
 * Not iterated: as in `known-ids.ts`, the order inside the table depends on history.
 */
import { assert } from '../../model/assert.ts';
import { mix32 } from '../../model/slots.ts';
import {
  fewerPlaces,
  homeOf,
  isRoomy,
  morePlaces,
  nextPlace,
  placesMin,
  removeAt,
} from './open-table.ts';

const wordCount = 4;

/** Tasks by tenant. Tenants are numbered as they come; the numbers stay in this table. */
class TenantCounts {
  readonly #numbers = new Map<string, number>();
  readonly #counts: number[] = [];

  numberOf(tenant: string): number {
    const known = this.#numbers.get(tenant);
    if (known !== undefined) return known;
    const number = this.#counts.push(0) - 1;
    this.#numbers.set(tenant, number);
    return number;
  }

  add(number: number, by: 1 | -1): void {
    this.#counts[number]! += by;
  }

  *all(): Generator<[tenant: string, tasks: number]> {
    for (const [tenant, number] of this.#numbers) {
      const tasks = this.#counts[number]!;
      if (tasks > 0) yield [tenant, tasks];
    }
  }
}

export class SettledSpecs {
  /** First two words of the digest, the count, 0 for an empty place, the tenant's number. */
  #entries = new Uint32Array(placesMin * wordCount);
  #places = placesMin;
  #specs = 0;
  #tasks = 0;
  readonly #tenants = new TenantCounts();

  /** Tasks counted. */
  get tasks(): number {
    return this.#tasks;
  }

  /** Specs that some of them has. */
  get specs(): number {
    return this.#specs;
  }

  /** How many of them each tenant has; those that have some. */
  byTenant(): Iterable<[tenant: string, tasks: number]> {
    return this.#tenants.all();
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  #locate(high: number, low: number): number {
    const entries = this.#entries;
    let place = homeOf(mix32(high), this.#places);
    for (;;) {
      const at = place * wordCount;
      if (entries[at + 2] === 0 || (entries[at] === high && entries[at + 1] === low)) return at;
      place = nextPlace(place, this.#places);
    }
  }

  count(digest: Uint32Array): number {
    return this.#entries[this.#locate(digest[0]!, digest[1]!) + 2]!;
  }

  add(digest: Uint32Array, tenant: string): void {
    if (this.#specs * 4 >= this.#places * 3) this.#resize(morePlaces(this.#places));
    const at = this.#locate(digest[0]!, digest[1]!);
    this.#entries[at] = digest[0]!;
    this.#entries[at + 1] = digest[1]!;
    if (this.#entries[at + 2]!++ === 0) {
      this.#entries[at + 3] = this.#tenants.numberOf(tenant);
      this.#specs++;
    }
    this.#tenants.add(this.#entries[at + 3]!, 1);
    this.#tasks++;
  }

  /** One task less; true where that was the last settled one of its spec. */
  remove(digest: Uint32Array): boolean {
    const at = this.#locate(digest[0]!, digest[1]!);
    const entries = this.#entries;
    assert(entries[at + 2] !== 0, 'a task that goes was counted');
    this.#tenants.add(entries[at + 3]!, -1);
    this.#tasks--;
    if (--entries[at + 2]! > 0) return false;
    const places = this.#places;
    const homeAt = (of: number): number => homeOf(mix32(entries[of]!), places);
    removeAt({ entries, words: wordCount, marker: 2, homeAt }, at);
    this.#specs--;
    if (isRoomy(this.#specs, places)) this.#resize(fewerPlaces(places));
    return true;
  }

  #resize(places: number): void {
    const old = this.#entries;
    this.#places = places;
    this.#entries = new Uint32Array(places * wordCount);
    for (let from = 0; from < old.length; from += wordCount) {
      if (old[from + 2] === 0) continue;
      const at = this.#locate(old[from]!, old[from + 1]!);
      this.#entries.set(old.subarray(from, from + wordCount), at);
    }
  }
}
