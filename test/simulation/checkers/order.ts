/**
 * Order keys, from what was committed: of the tasks of one key only one at a time is between its
 * first assignment and its end, further runs included, and first assignments come in the order in
 * which the log has the tasks.
 */
import type { ShardCommand } from '../../../src/model/command.ts';
import { decodeSpec } from '../../../src/model/spec.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import { check } from '../violation.ts';
import type { CommittedListener } from './committed.ts';

interface Line {
  /** The task that was assigned and has not settled. */
  present: string | undefined;
  /** Number of the newest task that was assigned. */
  newest: number;
  tasks: number;
}

export class OrderChecker implements CommittedListener {
  readonly #lines = new Map<string, Line>();
  readonly #places = new Map<string, { readonly line: Line; readonly number: number }>();
  /** Tasks in lines that were assigned. */
  assigned = 0;

  applied(
    _group: number,
    command: ShardCommand,
    effects: readonly Effect[],
    machine: ShardMachine,
  ): void {
    if (command.kind === 'submit' || command.kind === 'replay') this.#onSubmit(command, machine);
    for (const effect of effects) {
      if (effect.kind === 'assigned') this.#onAssigned(effect.taskId);
      else if (effect.kind === 'settled') {
        const place = this.#places.get(effect.taskId);
        if (place?.line.present === effect.taskId) place.line.present = undefined;
      }
    }
  }

  #onSubmit(
    command: ShardCommand & { readonly kind: 'submit' | 'replay' },
    machine: ShardMachine,
  ): void {
    const keys = command.specs.map(({ bytes }) => {
      const { tenant, orderKey } = decodeSpec(bytes);
      return orderKey === undefined ? undefined : `${tenant} ${orderKey}`;
    });
    for (const { id, spec } of command.items) {
      const key = keys[spec];
      if (key === undefined || this.#places.has(id) || !machine.record(id)) continue;
      const line = this.#lines.get(key) ?? { present: undefined, newest: 0, tasks: 0 };
      this.#lines.set(key, line);
      this.#places.set(id, { line, number: ++line.tasks });
    }
  }

  #onAssigned(taskId: string): void {
    const place = this.#places.get(taskId);
    if (place === undefined) return;
    const { line, number } = place;
    if (line.present === taskId) return;
    const { present } = line;
    check(present === undefined, () => `${taskId} is assigned while ${present} has not settled`);
    check(number > line.newest, () => `${taskId}, number ${number}, comes after ${line.newest}`);
    line.present = taskId;
    line.newest = number;
    this.assigned++;
  }
}
