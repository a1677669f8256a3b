/**
 * The renewals that a shard's leader has acknowledged: of each supervisor the newest. Its receipt
 * says how long the attempts there may live, its sequence goes with every dispatch as proof of its
 * age.
 */
import type { NodeId } from '../model/ids.ts';

interface Renewal {
  /** Boot clock of this leader when the request came in. */
  readonly receivedMs: number;
  /** Of the request, as its worker counts. */
  readonly sequence: number;
}

/** A supervisor: attempts of another one of the same node are not renewed with it. */
interface Whom {
  readonly node: NodeId;
  readonly incarnation: string;
}

/** Supervisors remembered before those without attempts are dropped. */
const renewalsMax = 1_024;

const keyOf = (whom: Whom): string => `${whom.node} ${whom.incarnation}`;

export class Renewals {
  readonly #newest = new Map<string, Renewal>();

  get size(): number {
    return this.#newest.size;
  }

  /** Notes a request that is about to be acknowledged. Order does not matter. */
  acknowledged(whom: Whom, renewal: Renewal): void {
    const key = keyOf(whom);
    const before = this.#newest.get(key);
    this.#newest.set(key, {
      receivedMs: Math.max(renewal.receivedMs, before?.receivedMs ?? 0),
      sequence: Math.max(renewal.sequence, before?.sequence ?? 0),
    });
  }

  /** When the newest was received, 0 for none. */
  receivedMs(whom: Whom): number {
    return this.#newest.get(keyOf(whom))?.receivedMs ?? 0;
  }

  /** Sequence of the newest, 0 for none. */
  sequence(whom: Whom): number {
    return this.#newest.get(keyOf(whom))?.sequence ?? 0;
  }

  /**
   * Where there are too many, forgets those without an attempt in `live`: an attempt that comes
   * later counts from its assignment. One with an attempt is never forgotten, or that would be lost
   * too soon.
   */
  trim(live: Iterable<Whom>): void {
    if (this.#newest.size <= renewalsMax) return;
    const used = new Set<string>();
    for (const whom of live) used.add(keyOf(whom));
    for (const key of this.#newest.keys()) if (!used.has(key)) this.#newest.delete(key);
  }
}
