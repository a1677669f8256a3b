/**
 * Schedules before the gate of their tenants: what a schedule makes counts as submitted, at the
 * leader of its shard. What is not let in is asked for again soon; the occurrence stays due, until
 * it is so late that it was missed.
 */
import { decodeSpec, type TaskSpec } from '../model/spec.ts';
import type { Schedule } from '../shard/schedules.ts';
import type { NodeContext } from './context.ts';
import type { Refusal, TenantGate } from './tenant-gate.ts';

/** What was not let in is asked for again after this, or later where the gate says so. */
const againMs = 1_000;
const againMaxMs = 30_000;

interface Held {
  readonly untilMs: number;
  readonly why: string;
}

export class ScheduleGate {
  readonly #clock: NodeContext['clock'];
  readonly #gate: TenantGate;
  readonly #specs = new WeakMap<Schedule, TaskSpec>();
  readonly #held = new WeakMap<Schedule, Held>();

  constructor(clock: NodeContext['clock'], gate: TenantGate) {
    this.#clock = clock;
    this.#gate = gate;
  }

  /** The spec of a new schedule as the plan of its tenant allows it; throws where it does not. */
  specOf(spec: TaskSpec): TaskSpec {
    return this.#gate.check(spec);
  }

  /**
   * Whether each of these may make a task now, at its place: `undefined`, or why not. With `unit`
   * all of them are let in together or none.
   */
  async refusals(
    schedules: readonly Schedule[],
    unit?: string,
  ): Promise<readonly (Refusal | undefined)[]> {
    const requests = schedules.map(schedule => ({ spec: this.#spec(schedule), arrayId: unit }));
    const refusals = await this.#gate.refusals(requests);
    schedules.forEach((schedule, place) => {
      const refusal = refusals[place];
      if (refusal === undefined) {
        this.#held.delete(schedule);
        return;
      }
      const waitMs = Math.min(Math.max(againMs, refusal.retryAfterMs ?? againMs), againMaxMs);
      this.#held.set(schedule, { untilMs: this.#clock.nowMs() + waitMs, why: refusal.message });
    });
    return refusals;
  }

  /**
   * When what was refused may be asked for again, on the monotonic clock; undefined where it may.
   */
  heldUntilMs(schedule: Schedule): number | undefined {
    const held = this.#held.get(schedule);
    return held !== undefined && held.untilMs > this.#clock.nowMs() ? held.untilMs : undefined;
  }

  /** Why the occurrence that is due does not fire, as far as this node was told. */
  whyHeld(schedule: Schedule): string | undefined {
    return this.#held.get(schedule)?.why;
  }

  /** Decoded once: a schedule never changes. */
  #spec(schedule: Schedule): TaskSpec {
    let spec = this.#specs.get(schedule);
    if (spec === undefined) {
      spec = decodeSpec(schedule.spec);
      this.#specs.set(schedule, spec);
    }
    return spec;
  }
}
