/**
 * The TCP ports of a node that its attempts are given. Pure. A port that was given back is given
 * out again after all others, because what spoke to it may not have noticed yet.
 */
import { assert } from '../model/assert.ts';
import type { PortRange } from '../model/resources.ts';

export class PortPool {
  readonly #range: PortRange | undefined;
  /** In the order in which they are given out. */
  readonly #free = new Set<number>();
  /** Those outside the range too: of attempts that were found, of a node that offered another. */
  readonly #held = new Set<number>();

  constructor(range: PortRange | undefined) {
    this.#range = range;
    if (range === undefined) return;
    for (let port = range.from; port <= range.to; port++) this.#free.add(port);
  }

  /** `count` ports that nobody holds; there have to be as many. */
  take(count: number): number[] {
    assert(count <= this.#free.size, `${count} ports asked for, ${this.#free.size} are free`);
    const ports = [...this.#free.values().take(count)];
    this.hold(ports);
    return ports;
  }

  /** An attempt has these. */
  hold(ports: readonly number[]): void {
    for (const port of ports) {
      assert(!this.#held.has(port), `port ${port} has two holders`);
      this.#held.add(port);
      this.#free.delete(port);
    }
  }

  giveBack(ports: readonly number[]): void {
    for (const port of ports) {
      assert(this.#held.delete(port), `port ${port} was not held`);
      const { from, to } = this.#range ?? { from: 0, to: -1 };
      if (port >= from && port <= to) this.#free.add(port);
    }
  }

  get heldCount(): number {
    return this.#held.size;
  }
}
