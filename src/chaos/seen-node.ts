/**
 * A node of a cluster that runs already, of which nothing but the address is known: it is asked for
 * what every node is asked, and nothing can be done to it.
 */
import type { ClusterNode, Heal } from './cluster.ts';

export interface SeenNodeSettings {
  readonly number: number;
  readonly address: string;
}

export class SeenNode implements ClusterNode {
  readonly number: number;
  readonly name: string;
  readonly breakable: boolean = false;
  /** Why nothing is done to it. */
  protected readonly unbreakable: string = 'it was not started by this run';
  address: string;
  paused = false;
  refused = false;
  howEnded = '';

  constructor({ number, address }: SeenNodeSettings) {
    this.number = number;
    this.name = `n${number}`;
    this.address = address;
  }

  /** As far as anybody knows. */
  get alive(): boolean {
    return true;
  }

  get awake(): boolean {
    return this.alive && !this.paused && this.address !== '';
  }

  async untilReady(_signal?: AbortSignal): Promise<'ready' | 'late' | number> {
    return 'ready';
  }

  expectEnd(_expected?: boolean): void {
    // Nobody sees its process end.
  }

  tail(): string {
    return '(its log is out of reach)';
  }

  launch(): Promise<void> {
    return this.#never('started');
  }

  kill(): Promise<void> {
    return this.#never('killed');
  }

  stop(): Promise<boolean> {
    return this.#never('stopped');
  }

  pause(): Promise<void> {
    return this.#never('frozen');
  }

  resume(): Promise<void> {
    return this.#never('thawed');
  }

  killSupervisor(): Promise<boolean> {
    return this.#never('deprived of its supervisor');
  }

  pauseSupervisor(): Promise<(() => Promise<boolean>) | undefined> {
    return this.#never('deprived of its supervisor');
  }

  slowSyncs(_delayMs: number): Promise<Heal> {
    return this.#never('slowed down');
  }

  limitMemory(): Promise<Heal> {
    return this.#never('deprived of memory');
  }

  starveSupervisor(): Promise<void> {
    return this.#never('deprived of memory');
  }

  fillDisk(): Promise<number> {
    return this.#never('deprived of room');
  }

  emptyDisk(): Promise<void> {
    return this.#never('given room');
  }

  wipe(): Promise<void> {
    return this.#never('wiped');
  }

  flipBytes(): Promise<string[]> {
    return this.#never('damaged');
  }

  moveClock(): Promise<void> {
    return this.#never('given another clock');
  }

  /** What is asked for in spite of what was told to be lacking is a mistake in this program. */
  async #never(what: string): Promise<never> {
    throw new Error(`${this.name} cannot be ${what}: ${this.unbreakable}`);
  }
}
