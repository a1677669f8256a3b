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
  /** How far the schedule was: once it is further, it is held no more. */
  readonly standing: Schedule['standing'];
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
   * Why each of these may not make a task now, at its place. With `unit` all of them are let in
   * together or none.
   */
  refusals(
    schedules: readonly Schedule[],
    unit?: string,
  ): Promise<readonly (Refusal | undefined)[]> {
    const requests = schedules.map(schedule => ({ spec: this.#spec(schedule), arrayId: unit }));
    return this.#gate.refusals(requests);
  }

  /** The same of occurrences that are due: a schedule that was refused waits for a while. */
  async refusalsOfDue(schedules: readonly Schedule[]): Promise<readonly (Refusal | undefined)[]> {
    const refusals = await this.refusals(schedules);
    schedules.forEach((schedule, place) => {
      const refusal = refusals[place];
      if (refusal === undefined) return;
      const { standing } = schedule;
      const waitMs = Math.min(Math.max(againMs, refusal.retryAfterMs ?? againMs), againMaxMs);
      const untilMs = this.#clock.nowMs() + waitMs;
      this.#held.set(schedule, { untilMs, standing, why: refusal.message });
    });
    return refusals;
  }

  /**
   * When what was refused may be asked for again, on the monotonic clock; undefined where it may.
   */
  heldUntilMs(schedule: Schedule): number | undefined {
    const held = this.#held.get(schedule);
    const isOver = held?.standing !== schedule.standing || held.untilMs <= this.#clock.nowMs();
    return isOver ? undefined : held.untilMs;
  }

  /** Why the occurrence that is due does not fire, as far as this node was told. */
  whyHeld(schedule: Schedule): string | undefined {
    const held = this.#held.get(schedule);
    return held?.standing === schedule.standing ? held.why : undefined;
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
