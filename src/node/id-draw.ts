/**
 * Draws task IDs: unique without coordination, and for tasks without a key in a slot of a shard
 * that can be written now, best one that this node leads itself, so that nothing is forwarded and
 * up to a hundred tasks share one log entry (DESIGN 10, batches).
 */
import { formatTaskId, type ShardId, type Slot, slotCount, type TaskId } from '../model/ids.ts';
import type { SlotTable } from '../model/slots.ts';
import type { Clock, Random } from '../ports/clock.ts';

/** Tasks that take the same shard before the next one has its turn. */
const runLength = 100;
const runMs = 5;

export class IdDraw {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #table: () => SlotTable;
  /** Shards to choose from, best first group only; empty where none can be written. */
  readonly #writable: () => readonly ShardId[];
  #lastMs = 0;
  #counter = 0;
  #slotsByShard = new Map<ShardId, Slot[]>();
  #slotsOf: SlotTable | undefined;
  #shard: ShardId = 0;
  #left = 0;
  #untilMs = 0;
  #turn = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly table: () => SlotTable;
    readonly writable: () => readonly ShardId[];
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#table = deps.table;
    this.#writable = deps.writable;
    this.#turn = deps.random.uint32() % 4_096;
  }

  /** An ID in `slot`. The random part counts up within a millisecond, so no two are equal here. */
  inSlot(slot: Slot): TaskId {
    const atMs = this.#clock.wallMs();
    if (atMs !== this.#lastMs) {
      this.#lastMs = atMs;
      // Room to count up a million times without a carry into a value that another node may draw.
      this.#counter =
        (this.#random.uint32() % 2 ** 20) * 2 ** 20 + (this.#random.uint32() % 2 ** 19);
    } else this.#counter = (this.#counter + 1) % 2 ** 40;
    return formatTaskId({ atMs, slot, random: this.#counter });
  }

  /** An ID for a task without a key; `undefined` where no shard can be written now. */
  anywhere(): TaskId | undefined {
    const nowMs = this.#clock.nowMs();
    if (this.#left <= 0 || nowMs > this.#untilMs) {
      const shards = this.#writable();
      if (shards.length === 0) return undefined;
      this.#shard = shards[this.#turn++ % shards.length]!;
      this.#left = runLength;
      this.#untilMs = nowMs + runMs;
    }
    this.#left--;
    const slots = this.#slots().get(this.#shard);
    if (slots === undefined) return undefined;
    return this.inSlot(slots[this.#random.uint32() % slots.length]!);
  }

  #slots(): Map<ShardId, Slot[]> {
    const table = this.#table();
    if (this.#slotsOf !== table) {
      this.#slotsOf = table;
      this.#slotsByShard = new Map();
      for (let slot = 0; slot < slotCount; slot++) {
        const shard = table[slot];
        if (shard === undefined) continue;
        const slots = this.#slotsByShard.get(shard);
        if (slots === undefined) this.#slotsByShard.set(shard, [slot]);
        else slots.push(slot);
      }
    }
    return this.#slotsByShard;
  }
}
