/**
 * The shards that this node leads: each gets its duties when the leadership becomes usable, and
 * loses them with it.
 */
import type { Store } from '../ports/store.ts';
import type { Effect } from '../shard/effects.ts';
import { specKey } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import { ScheduleClock } from './schedule-clock.ts';
import type { ScheduleGate } from './schedule-gate.ts';
import type { Scheduler } from './scheduler.ts';
import { ShardLeader } from './shard-leader.ts';

export class Leaderships {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #gate: () => ScheduleGate;
  readonly #changed: () => void;
  readonly #clocks = new Map<number, ScheduleClock>();
  /** Leaderships taken. */
  taken = 0;

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly store: Store;
    readonly gate: () => ScheduleGate;
    /** What this node leads is not what it was. */
    readonly changed: () => void;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#store = deps.store;
    this.#gate = deps.gate;
    this.#changed = deps.changed;
  }

  /** A replica of a shard has another role. */
  roleChanged(replica: Replica): void {
    const present = this.#scheduler.leader(replica.group);
    if (replica.leading === (present !== undefined)) return;
    if (present === undefined) {
      this.taken++;
      const leader = new ShardLeader({
        context: this.#context,
        desk: this.#scheduler,
        replica,
        machine: replica.machine as unknown as ShardMachine,
        readSpec: digest => this.#store.row(replica.group, specKey(digest)),
      });
      this.#scheduler.addLeader(leader);
      const clock = new ScheduleClock(this.#context, leader, this.#gate());
      this.#clocks.set(replica.group, clock);
    } else {
      present.stop();
      this.#clocks.get(replica.group)?.stop();
      this.#clocks.delete(replica.group);
      this.#scheduler.dropLeader(replica.group);
    }
    this.#changed();
  }

  /** What an applied entry changed in a shard that is led here. */
  onEffects(shard: number, effects: readonly Effect[]): void {
    this.#scheduler.leader(shard)?.onEffects(effects);
    if (effects.some(({ kind }) => kind === 'scheduleCreated')) this.#clocks.get(shard)?.wake();
  }

  stop(): void {
    for (const leader of [...this.#scheduler.leaders()]) leader.stop();
    for (const clock of this.#clocks.values()) clock.stop();
  }
}
