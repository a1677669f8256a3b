/** A `TestWorld` in virtual time: waiting means to run the clock. */
import type { NodeId } from '../../src/model/ids.ts';
import type { Random } from '../../src/ports/clock.ts';
import { createSimNet, type SimNet, type SimNetFaults } from '../simulation/sim-net.ts';
import type { TestNode, TestWorld } from './transport.ts';

interface Timer {
  readonly atMs: number;
  readonly number: number;
  readonly fire: () => void;
}

/** The smallest scheduler that the simulated network can live on. */
export class VirtualClock {
  #nowMs = 0;
  #number = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fire: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), number: this.#number++, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Fires the next timer; false where there is none. */
  step(): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      const sooner =
        next === undefined ||
        timer.atMs < next.atMs ||
        (timer.atMs === next.atMs && timer.number < next.number);
      if (sooner) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#nowMs = next.atMs;
    next.fire();
    return true;
  }

  run(forMs: number): void {
    const end = this.#nowMs + forMs;
    this.after(forMs, () => undefined);
    while (this.#nowMs < end && this.step());
  }
}

/** xorshift32: small, and the same everywhere. */
export function seededRandom(seed: number): Random {
  let state = (seed | 0) === 0 ? 0x9e3779b9 : seed | 0;
  return {
    uint32: () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 0;
    },
  };
}

export function simWorld(faults: Partial<SimNetFaults> = {}, seed = 1): TestWorld {
  const clock = new VirtualClock();
  const net = createSimNet({ scheduler: clock, random: seededRandom(seed), faults });
  let nodes = 0;
  return {
    add: async () => simNode(net, `node${++nodes}`),
    until: async (what, condition) => {
      const deadlineMs = clock.nowMs() + 120_000;
      while (!condition()) {
        if (clock.nowMs() > deadlineMs) throw new Error(`did not happen: ${what}`);
        clock.run(1);
        // What was promised goes on between two instants.
        await new Promise<void>(resolve => setImmediate(resolve));
      }
    },
    close: async () => undefined,
  };
}

function simNode(net: SimNet, id: NodeId): TestNode {
  const ports = net.running(id) ? undefined : net.join(id);
  if (ports === undefined) throw new Error(`${id} runs already`);
  return {
    id,
    ...ports,
    crash: async () => net.crash(id),
    restart: async () => simNode(net, id),
  };
}
