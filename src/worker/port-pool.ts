/**
 * The TCP ports of a node that its attempts are given: which are held, and by whom they are asked
 * for next. Pure. A port that was given back is given out again as late as can be, because what
 * spoke to it may not have noticed yet.
 */
import { assert } from '../model/assert.ts';
import type { PortRange } from '../model/resources.ts';

export class PortPool {
  readonly #range: PortRange | undefined;
  /** Those outside the range too: of attempts that were found, of a node that offered another. */
  readonly #held = new Set<number>();
  #next: number;

  constructor(range: PortRange | undefined) {
    this.#range = range;
    this.#next = range?.from ?? 0;
  }

  /** `count` ports that nobody holds; there have to be as many. */
  take(count: number): number[] {
    const ports: number[] = [];
    if (count === 0) return ports;
    const range = this.#range;
    assert(range !== undefined, 'ports are given out where there is a range');
    const size = range.to - range.from + 1;
    for (let looked = 0; looked < size && ports.length < count; looked++) {
      const port = this.#next;
      this.#next = port === range.to ? range.from : port + 1;
      if (this.#held.has(port)) continue;
      this.#held.add(port);
      ports.push(port);
    }
    assert(ports.length === count, `${count} ports of ${size} were to be free`);
    return ports;
  }

  /** An attempt that was found has these. */
  hold(ports: readonly number[]): void {
    for (const port of ports) {
      assert(!this.#held.has(port), `port ${port} has two holders`);
      this.#held.add(port);
    }
  }

  giveBack(ports: readonly number[]): void {
    for (const port of ports) assert(this.#held.delete(port), `port ${port} was not held`);
  }

  get heldCount(): number {
    return this.#held.size;
  }
}
