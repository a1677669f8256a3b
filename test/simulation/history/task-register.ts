/**
 * A task as a register, for the check of what clients saw: submits and cancels of clients write it,
 * so does the cluster itself where it assigns, starts and ends attempts, and reads read all of it.
 */
import type { TaskView } from '../../../src/model/task.ts';
import type { Model } from './linearizability.ts';

/** What a read can tell apart. */
export interface TaskState {
  readonly phase: string;
  /** Of the live attempt; 0 where there is none. */
  readonly fence: number;
  readonly cancelling: boolean;
}

export type TaskInput =
  /** By clients. `settled`: it was answered that the task has settled already. */
  | { readonly kind: 'submit' | 'cancel' | 'read' | 'settled' }
  /** By the cluster. */
  | { readonly kind: 'expire' }
  /** It waits, and settles with another of its gang. */
  | { readonly kind: 'drop'; readonly settles: string }
  | { readonly kind: 'assign' | 'start'; readonly fence: number }
  | { readonly kind: 'end'; readonly fence: number; readonly settles: string | undefined };

/** Of a read what was seen, `true` for anything else that was acknowledged. */
export type TaskOutput = TaskState | true;

const absent: TaskState = { phase: 'absent', fence: 0, cancelling: false };

const isLive = ({ phase }: TaskState): boolean => phase === 'assigned' || phase === 'running';
const isSettled = (state: TaskState): boolean =>
  !isLive(state) && !['waiting', 'absent', 'expired'].includes(state.phase);

const nameOf = ({ phase, fence, cancelling }: TaskState): string =>
  `${phase} ${fence}${cancelling ? ' cancelling' : ''}`;

function cancelled(state: TaskState): TaskState | undefined {
  if (isLive(state)) return { ...state, cancelling: true };
  return state.phase === 'waiting' ? { phase: 'cancelled', fence: 0, cancelling: true } : undefined;
}

function ended(
  state: TaskState,
  input: TaskInput & { readonly kind: 'end' },
): TaskState | undefined {
  if (!isLive(state) || state.fence !== input.fence) return undefined;
  if (input.settles === undefined) {
    return state.cancelling ? undefined : { phase: 'waiting', fence: 0, cancelling: false };
  }
  // A cancel that was asked for ends in nothing but that, or in a success that was faster.
  const expected = state.cancelling
    ? ['cancelled', 'succeeded']
    : ['succeeded', 'failed', 'aborted'];
  if (!expected.includes(input.settles)) return undefined;
  return { phase: input.settles, fence: 0, cancelling: state.cancelling };
}

function step(
  state: TaskState,
  input: TaskInput,
  output: TaskOutput | undefined,
): TaskState | undefined {
  switch (input.kind) {
    case 'submit':
      if (state.phase === 'expired') return undefined;
      return state.phase === 'absent' ? { ...absent, phase: 'waiting' } : state;
    case 'cancel':
      return cancelled(state);
    case 'settled':
      return isSettled(state) ? state : undefined;
    case 'read':
      if (output === undefined || output === true) return state;
      return nameOf(output) === nameOf(state.phase === 'expired' ? absent : state)
        ? state
        : undefined;
    case 'expire':
      return isSettled(state) ? { ...absent, phase: 'expired' } : undefined;
    case 'drop':
      return state.phase === 'waiting' ? { ...state, phase: input.settles } : undefined;
    case 'assign':
      return state.phase === 'waiting'
        ? { ...state, phase: 'assigned', fence: input.fence }
        : undefined;
    case 'start':
      return state.phase === 'assigned' && state.fence === input.fence
        ? { ...state, phase: 'running' }
        : undefined;
    case 'end':
      return ended(state, input);
  }
}

export const taskRegister: Model<TaskState, TaskInput, TaskOutput> = {
  initial: absent,
  step,
  name: nameOf,
};

/** What a view shows of the register; no view is an answer that there is no such task. */
export function seenIn(view: TaskView | undefined): TaskState {
  if (view === undefined) return absent;
  const live = view.state === 'assigned' || view.state === 'running';
  return {
    phase: view.state,
    fence: live ? (view.attempts.at(-1)?.attempt ?? 0) : 0,
    cancelling: view.cancelRequested !== undefined,
  };
}
