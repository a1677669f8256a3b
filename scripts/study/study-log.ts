/**
 * The log of one shard as its leader sees it: what is proposed is committed a while later, in the
 * order of the proposals, and applied by the real state machine. The replicas that make it so are
 * left out: nothing fails here, so they only take time.
 */
import type { Effect } from '../../src/shard/effects.ts';
import { ShardMachine } from '../../src/shard/machine.ts';
import type { Links } from './links.ts';

/** Rows are taken as written when so many are dirty: settled tasks leave memory. */
const flushRows = 512;

interface Applied {
  readonly index: number;
  readonly term: number;
  readonly replies: readonly unknown[];
}

export class StudyLog {
  readonly machine: ShardMachine;
  readonly #links: Links;
  /** Called when promises were resolved: nothing may happen before all that waits for them. */
  readonly #resolved: () => void;
  onEffects: (effects: readonly Effect[]) => void = () => undefined;
  #queue: { readonly data: Uint8Array; readonly resolve: (applied: Applied) => void }[] = [];
  #index = 0;

  constructor(shard: number, links: Links, resolved: () => void) {
    this.machine = new ShardMachine({ shard });
    this.#links = links;
    this.#resolved = resolved;
  }

  propose(data: Uint8Array): Promise<Applied> {
    return new Promise(resolve => {
      this.#queue.push({ data, resolve });
      // As many as were proposed before it: proposals that overtake in time do so in pairs.
      this.#links.after('commit', () => this.#applyFirst());
    });
  }

  read(): Promise<void> {
    return new Promise(resolve =>
      this.#links.after('read', () => {
        this.#resolved();
        resolve();
      }),
    );
  }

  #applyFirst(): void {
    const { data, resolve } = this.#queue.shift()!;
    const { replies, effects } = this.machine.apply(++this.#index, data);
    this.onEffects(effects);
    if (this.machine.dirtyRows >= flushRows) this.#flush();
    this.#resolved();
    resolve({ index: this.#index, term: 1, replies });
  }

  #flush(): void {
    const flush = this.machine.takeFlush(flushRows);
    if (flush !== undefined) this.machine.flushed(flush.token);
  }
}
