/**
 * Order keys, from what was committed: of the tasks of one key only one at a time is between its
 * first assignment and its end, further runs included, and first assignments come in the order in
 * which the log has the tasks. Keys that bound how many run: no more than each of them allows.
 */
import type { ShardCommand } from '../../../src/model/command.ts';
import { decodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import { check } from '../violation.ts';
import type { CommittedListener } from './committed.ts';

interface Line {
  /** Tasks that were assigned and have not settled. */
  readonly present: Set<string>;
  readonly inOrder: boolean;
  /** Number of the newest task that was assigned. */
  newest: number;
  tasks: number;
}

interface Place {
  readonly line: Line;
  readonly number: number;
  /** How many may be present with it. */
  readonly width: number;
}

function lineOf({ tenant, orderKey, maxRunningPer }: TaskSpec) {
  if (orderKey !== undefined) {
    return { key: `in order ${tenant} ${orderKey}`, width: 1, inOrder: true };
  }
  if (maxRunningPer === undefined) return undefined;
  const { key, max } = maxRunningPer;
  return { key: `beside ${tenant} ${key}`, width: max, inOrder: false };
}

export class OrderChecker implements CommittedListener {
  readonly #lines = new Map<string, Line>();
  readonly #places = new Map<string, Place>();
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
        this.#places.get(effect.taskId)?.line.present.delete(effect.taskId);
      }
    }
  }

  #onSubmit(
    command: ShardCommand & { readonly kind: 'submit' | 'replay' },
    machine: ShardMachine,
  ): void {
    const lines = command.specs.map(({ bytes }) => lineOf(decodeSpec(bytes)));
    for (const { id, spec } of command.items) {
      const found = lines[spec];
      if (found === undefined || this.#places.has(id) || !machine.record(id)) continue;
      const { key, width, inOrder } = found;
      const line = this.#lines.get(key) ?? { present: new Set(), inOrder, newest: 0, tasks: 0 };
      this.#lines.set(key, line);
      this.#places.set(id, { line, number: ++line.tasks, width });
    }
  }

  #onAssigned(taskId: string): void {
    const place = this.#places.get(taskId);
    if (place === undefined) return;
    const { line, number, width } = place;
    const { present, inOrder } = line;
    if (present.has(taskId)) return;
    const others = (): string => [...present].join(', ');
    check(present.size < width, () => `${taskId} is assigned while ${others()} has not settled`);
    const isNext = !inOrder || number > line.newest;
    check(isNext, () => `${taskId}, number ${number}, comes after ${line.newest}`);
    present.add(taskId);
    line.newest = number;
    this.assigned++;
  }
}
