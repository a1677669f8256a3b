/**
 * The shards that this node leads: each gets its duties when the leadership becomes usable, and
 * loses them with it.
 */
import type { Store } from '../ports/store.ts';
import type { Effect } from '../shard/effects.ts';
import type { ShardMachine } from '../shard/machine.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import { ScheduleClock } from './schedule-clock.ts';
import type { ScheduleGate } from './schedule-gate.ts';
import type { Scheduler } from './scheduler.ts';
import { ShardLeader } from './shard-leader.ts';
import type { ShardMessages } from './shard-messages.ts';

export class Leaderships {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #gate: () => ScheduleGate;
  readonly #messages: ShardMessages;
  readonly #changed: () => void;
  readonly #clocks = new Map<number, ScheduleClock>();
  /** Leaderships taken, and start bounds that were missed in shards led here. */
  readonly counters = { elections: 0, boundsMissed: 0 };

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly store: Store;
    readonly gate: () => ScheduleGate;
    readonly messages: ShardMessages;
    /** What this node leads is not what it was. */
    readonly changed: () => void;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#store = deps.store;
    this.#gate = deps.gate;
    this.#messages = deps.messages;
    this.#changed = deps.changed;
  }

  /** A replica of a shard has another role. */
  roleChanged(replica: Replica): void {
    const present = this.#scheduler.leader(replica.group);
    if (replica.leading === (present !== undefined)) return;
    if (present === undefined) {
      this.counters.elections++;
      const leader = new ShardLeader({
        context: this.#context,
        desk: this.#scheduler,
        replica,
        machine: replica.machine as unknown as ShardMachine,
        readRow: key => this.#store.row(replica.group, key),
      });
      this.#scheduler.addLeader(leader);
      const clock = new ScheduleClock(this.#context, leader, this.#gate());
      this.#clocks.set(replica.group, clock);
      this.#messages.wake(leader);
    } else {
      present.stop();
      this.#clocks.get(replica.group)?.stop();
      this.#clocks.delete(replica.group);
      this.#scheduler.dropLeader(replica.group);
    }
    this.#changed();
  }

  /** An entry was applied in a replica that leads. */
  applied(replica: Replica, effects: readonly Effect[]): void {
    const leader = this.#scheduler.leader(replica.group);
    if (leader === undefined) return;
    leader.onEffects(effects);
    for (const { kind } of effects) if (kind === 'boundMissed') this.counters.boundsMissed++;
    if (effects.some(({ kind }) => kind === 'scheduleCreated')) {
      this.#clocks.get(replica.group)?.wake();
    }
    if (effects.some(effect => effect.kind === 'messagesChanged')) this.#messages.wake(leader);
  }

  stop(): void {
    for (const leader of [...this.#scheduler.leaders()]) leader.stop();
    for (const clock of this.#clocks.values()) clock.stop();
  }
}
