/**
 * What lies between the nodes of the study: delays of a local network of ordinary machines, drawn
 * from a seed, and counts of what goes over it. Nothing breaks here: that is what `npm run sim` is
 * for.
 */
import type { Random } from '../../src/ports/clock.ts';
import type { VirtualTime } from '../../test/simulation/virtual-time.ts';

/** Least and mean milliseconds of each kind of waiting. */
const delays = {
  /** A frame from one node to another. */
  link: [0.2, 0.5],
  /** A proposal until it is applied at the leader: a majority has synced it to its disk. */
  commit: [2, 5],
  /** A read round. */
  read: [0.5, 1.5],
  /** From the word to start until a process runs. */
  spawn: [1.5, 4],
  /** From the end of a process until the node knows. */
  exit: [0.5, 1],
  /** One hop of gossip, with the check of a signature. */
  hop: [2, 8],
} as const;

/** Peers that a node passes gossip on to. */
const gossipFanout = 6;

export class Links {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #hopsMax: number;

  constructor(time: VirtualTime, random: Random, nodes: number) {
    this.#time = time;
    this.#random = random;
    this.#hopsMax = Math.max(1, Math.ceil(Math.log(nodes) / Math.log(gossipFanout)));
  }

  #delay([least, mean]: readonly [number, number]): number {
    const uniform = (this.#random.uint32() + 0.5) / 2 ** 32;
    return least - (mean - least) * Math.log(uniform);
  }

  draw(kind: keyof typeof delays): number {
    return this.#delay(delays[kind]);
  }

  after(kind: keyof typeof delays, fire: () => void): void {
    this.#time.after(this.#delay(delays[kind]), fire);
  }

  /**
   * Gossip reaches those who are one hop away first: most are as far away as it gets. `deliver` is
   * called once for each distance, with a number that says which.
   */
  gossip(deliver: (hops: number) => void): void {
    let delayMs = 0;
    for (let hops = 1; hops <= this.#hopsMax; hops++) {
      delayMs += this.#delay(delays.hop);
      this.#time.after(delayMs, () => deliver(hops));
    }
  }

  /** How far the author of a message is from a reader of it; it stays so, as a mesh does. */
  distance(author: number, reader: number): number {
    // Of six neighbours each has six: five of six nodes are at the greatest distance.
    let mixed = Math.imul(author * 65_537 + reader + 1, 0x9e3779b1) >>> 0;
    let hops = this.#hopsMax;
    while (hops > 1 && mixed % gossipFanout === 0) {
      hops--;
      mixed = Math.floor(mixed / gossipFanout);
    }
    return hops;
  }
}
