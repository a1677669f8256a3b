/**
 * The history of all tasks of a run, to be checked at its end: what clients asked and were told,
 * and what the cluster did by itself, as it was first applied anywhere. The two together have to be
 * a sequence for every task.
 *
 * Instants are numbers of events. What is first applied in an event took effect in it: nobody could
 * show it before, and whoever asks after it must see it. A request of a client that died took
 * effect at any time or never.
 */
import type { ShardCommand } from '../../../src/model/command.ts';
import type { TaskId } from '../../../src/model/ids.ts';
import type { TaskView } from '../../../src/model/task.ts';
import { workflowTaskId } from '../../../src/model/workflow.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import type { ShardMachine } from '../../../src/shard/machine.ts';
import type { CommittedListener } from '../checkers/committed.ts';
import { check } from '../violation.ts';
import { checkLinearizable, type Operation } from './linearizability.ts';
import { seenIn, type TaskInput, type TaskOutput, taskRegister } from './task-register.ts';

type TaskOperation = {
  -readonly [Name in keyof Operation<TaskInput, TaskOutput>]: Operation<
    TaskInput,
    TaskOutput
  >[Name];
};

/** Within its event: after everything that happens in it, before the next one. */
const endOf = (event: number): number => event + 0.9;

/** For all tasks of a run: a hundred times what a run takes. */
const stepsMax = 2_000_000;

/** A request of a client that has not been answered. */
export class Asked {
  readonly #history: TaskHistory;
  readonly #operation: TaskOperation;

  constructor(history: TaskHistory, operation: TaskOperation) {
    this.#history = history;
    this.#operation = operation;
  }

  /** It was done. */
  done(): void {
    this.#returned(true);
  }

  /** A read that nobody called stale. */
  saw(view: TaskView | undefined): void {
    this.#returned(seenIn(view));
  }

  /** It was definitely not done, and counts for nothing. */
  refused(): void {
    this.#history.refuse(this.#operation);
  }

  #returned(output: TaskOutput): void {
    this.#operation.output = output;
    this.#operation.returnAt = endOf(this.#history.now());
  }
}

export class TaskHistory implements CommittedListener {
  readonly now: () => number;
  readonly #operations = new Set<TaskOperation>();
  /** When each task was first applied. */
  readonly #created = new Map<string, number>();
  /** Since when the first submit of it was asked for that was definitely not done. */
  readonly #refused = new Map<string, number>();
  readonly #expired = new Set<string>();
  /** The attempts that live, as effects told. */
  readonly #live = new Map<string, { readonly fence: number; started: boolean }>();
  operations = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** A client asks for something at this instant, or at `callAt` where it learned the ID later. */
  asks(id: TaskId, kind: 'submit' | 'cancel' | 'read' | 'settled', callAt = this.now()): Asked {
    const operation: TaskOperation = { key: id, callAt, input: { kind } };
    this.#operations.add(operation);
    return new Asked(this, operation);
  }

  refuse(operation: TaskOperation): void {
    this.#operations.delete(operation);
    if (operation.input.kind !== 'submit') return;
    const { key, callAt } = operation;
    this.#refused.set(key, Math.min(callAt, this.#refused.get(key) ?? callAt));
  }

  applied(
    _group: number,
    command: ShardCommand,
    effects: readonly Effect[],
    machine: ShardMachine,
  ): void {
    if (command.kind === 'submit' || command.kind === 'replay') {
      for (const { id } of command.items) {
        if (!this.#created.has(id) && machine.record(id)) this.#created.set(id, this.now());
      }
    } else if (command.kind === 'submitWorkflow') {
      command.items.forEach((_, place) => {
        const id = workflowTaskId(command.workflow.id, command.from + place);
        if (!this.#created.has(id) && machine.record(id)) this.#created.set(id, this.now());
      });
    } else if (command.kind === 'cancelWorkflow') {
      // Asked of every task of it; which of them it reached is for the history to say.
      for (const { id } of command.items) {
        const { received } = machine.links.workflow(id) ?? { received: 0 };
        for (let index = 0; index < received; index++) {
          this.asks(workflowTaskId(id, index), 'cancel');
        }
      }
    } else if (command.kind === 'start') {
      for (const { taskId, fence } of command.items) {
        const live = this.#live.get(taskId);
        if (live === undefined || live.started) continue;
        live.started = machine.attempt(taskId, live.fence)?.state === 'running';
        // Whatever was named: the wrong attempt has no place in the sequence.
        if (live.started) this.#happens(taskId, { kind: 'start', fence });
      }
    }
    if (command.kind === 'expire') {
      for (const { taskId } of command.items) {
        if (machine.knows(taskId) || this.#expired.has(taskId)) continue;
        this.#expired.add(taskId);
        this.#happens(taskId, { kind: 'expire' });
      }
    }
    const settled = new Map<TaskId, string>();
    for (const effect of effects) {
      if (effect.kind === 'settled') settled.set(effect.taskId, effect.state);
    }
    this.#withGang(command, effects);
    for (const effect of effects) {
      if (effect.kind !== 'assigned' && effect.kind !== 'attemptEnded') continue;
      const { taskId, fence } = effect;
      // Made by no submit: by a schedule.
      if (!this.#created.has(taskId)) this.#created.set(taskId, this.now());
      if (effect.kind === 'assigned') this.#live.set(taskId, { fence, started: false });
      else this.#live.delete(taskId);
      if (effect.kind === 'assigned') this.#happens(taskId, { kind: 'assign', fence });
      else this.#happens(taskId, { kind: 'end', fence, settles: settled.get(taskId) });
    }
  }

  /** What happens to tasks because of others of their gangs. */
  #withGang(command: ShardCommand, effects: readonly Effect[]): void {
    const asked = new Set<TaskId>();
    if (command.kind === 'cancel') for (const { taskId } of command.items) asked.add(taskId);
    const ended = effects.filter(effect => effect.kind === 'attemptEnded');
    for (const effect of effects) {
      if (effect.kind !== 'settled' && effect.kind !== 'cancelling') continue;
      const { taskId } = effect;
      if (command.kind === 'cancel') {
        if (!asked.has(taskId)) this.#happens(taskId, { kind: 'cancel' });
      } else if (effect.kind === 'settled' && !ended.some(other => other.taskId === taskId)) {
        this.#happens(taskId, { kind: 'drop', settles: effect.state });
      }
    }
  }

  #happens(id: TaskId, input: TaskInput): void {
    const callAt = this.now();
    this.#operations.add({ key: id, callAt, returnAt: endOf(callAt), input, output: true });
  }

  /**
   * Tasks of requests that were never answered and whose IDs nobody heard. What was there before a
   * submit of it was asked for is not what that submit was refused.
   */
  #anonymous(): TaskOperation[] {
    const asked = new Set<string>();
    for (const { key, callAt, input } of this.#operations) {
      const createdAt = this.#created.get(key) ?? 0;
      if (input.kind === 'submit' && callAt <= createdAt) asked.add(key);
    }
    return [...this.#created]
      .filter(([id, createdAt]) => {
        const refusedFrom = this.#refused.get(id) ?? Number.POSITIVE_INFINITY;
        return !asked.has(id) && createdAt < refusedFrom;
      })
      .map(([key, callAt]) => ({ key, callAt, input: { kind: 'submit' } }));
  }

  /** Throws a `Violation` where the history of a task is impossible. */
  verify(): void {
    const history = [...this.#operations, ...this.#anonymous()];
    this.operations = history.length;
    const found = checkLinearizable(taskRegister, history, stepsMax);
    check(found.verdict !== 'undecided', () => 'the history is too long to be judged');
    check(found.verdict !== 'violated', () => {
      const key = found.verdict === 'violated' ? found.key : '';
      const lines = history.filter(one => one.key === key).map(describeOperation);
      return `the history of task ${key} is not linearizable:\n${lines.join('\n')}`;
    });
  }
}

function describeOperation({ callAt, returnAt, input, output }: TaskOperation): string {
  const { kind, ...rest } = input;
  const seen = typeof output === 'object' ? Object.values(output).join(' ') : '';
  const what = [kind, ...Object.values(rest), seen].join(' ').trim();
  return `  ${callAt}-${returnAt ?? '?'} ${what}`;
}
