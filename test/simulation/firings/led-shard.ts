/**
 * The real state machine of a shard, with the log and the rows that replicas of it would have. A
 * replica that takes over is made from those: the rows of the newest flush, and the log behind it.
 */
import type { Applied } from '../../../src/shard/effects.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';
import { check } from '../violation.ts';

const shard = 1;

/** Without a copy of the key. */
const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');

export class LedShard {
  machine = new ShardMachine({ shard });
  /** Entries behind the newest flush. */
  readonly #log: Uint8Array[] = [];
  /** Rows by their keys, a character for a byte. */
  readonly #rows = new Map<string, readonly [key: Uint8Array, value: Uint8Array]>();
  #stored = 0;
  entries = 0;

  commit(bytes: Uint8Array): Applied {
    this.#log.push(bytes);
    this.entries++;
    return this.machine.apply(this.entries, bytes);
  }

  flush(): void {
    const flush = this.machine.takeFlush(1);
    if (flush === undefined) return;
    for (const [key, value] of flush.rows) {
      const text = textOf(key);
      if (value === undefined) this.#rows.delete(text);
      else this.#rows.set(text, [key, value]);
    }
    this.machine.flushed(flush.token);
    this.#stored = flush.applied;
    this.#log.length = 0;
  }

  /** Another replica leads from now on. It has to be in the state of the one before. */
  takeOver(): void {
    const machine = new ShardMachine({ shard });
    const keys = [...this.#rows.keys()].sort();
    machine.loadRows(keys.map(key => this.#rows.get(key)!));
    machine.loaded(this.#stored);
    let index = this.#stored;
    for (const bytes of this.#log) machine.apply(++index, bytes);
    check(machine.digest() === this.machine.digest(), () => 'a new replica has decided otherwise');
    check(machine.lastSeq === this.machine.lastSeq, () => 'a new replica has other events');
    machine.checkInvariants();
    this.machine = machine;
  }
}
