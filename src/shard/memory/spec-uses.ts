/**
 * How many tasks a shard has of each spec, the settled ones that it keeps included: the row of a
 * spec goes with the last of its tasks. 16 bytes a spec (twice that at the worst load of the
 * table), by the first 64 bits of its digest: two specs that share those are counted as one, and
 * then the row of one of them stays for ever.
 *
 * A spec is of one tenant, so the same table says how many tasks a shard has of each: of a settled
 * task memory has no more than the ID, and what expires is named with its spec. For the leader, who
 * keeps the history of each tenant within its bounds; nothing in apply is decided from it.
 *
 * Not iterated: as in `known-ids.ts`, the order inside the table depends on history.
 */
import { assert } from '../../model/assert.ts';
import { mix32 } from '../../model/slots.ts';
import { removeAt } from './open-table.ts';

const placesMin = 16;
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

export class SpecUses {
  /** First two words of the digest, the count, 0 for an empty place, the tenant's number. */
  #entries = new Uint32Array(placesMin * wordCount);
  #mask = placesMin - 1;
  #specs = 0;
  #tasks = 0;
  readonly #tenants = new TenantCounts();

  /** Tasks counted. */
  get tasks(): number {
    return this.#tasks;
  }

  /** Specs that some task has. */
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

  add(digest: Uint32Array, tenant: string): void {
    if (this.#specs * 4 >= (this.#mask + 1) * 3) this.#resize((this.#mask + 1) * 2);
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

  /** One task less; true where that was the last of its spec. */
  remove(digest: Uint32Array): boolean {
    const at = this.#locate(digest[0]!, digest[1]!);
    const entries = this.#entries;
    assert(entries[at + 2] !== 0, 'a task that goes was counted');
    this.#tenants.add(entries[at + 3]!, -1);
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
