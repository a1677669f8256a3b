/**
 * What a worker does when it is told how an attempt is to go on: that its processes stand still, or
 * run, and under which cap. Pure.
 *
 * An attempt that was not launched is handed back where it is to stand still: it costs nothing, and
 * another node may be free when its task goes on.
 */
import type { ShardId } from '../model/ids.ts';
import type { AttemptControl, AttemptRef } from '../model/worker-protocol.ts';
import type { AttemptKey } from '../ports/runner.ts';
import type { WorkerAction } from './action.ts';
import type { Attempt, AttemptLedger } from './attempt-ledger.ts';

export interface ControlStep {
  readonly actions: readonly WorkerAction[];
  /** Goes back to its shard. */
  readonly refuse?: Attempt | undefined;
  /** Is over: that is told again. */
  readonly report?: Attempt | undefined;
}

const nothing: ControlStep = { actions: [] };

export function controlStep(
  ledger: AttemptLedger,
  message: AttemptRef & AttemptControl,
): ControlStep {
  const { shard, taskId, fence, suspended, capMs } = message;
  const attempt = ledger.get(taskId, fence);
  // Its dispatch is under way, or it is over and its shard knows: the leader tells again.
  if (attempt === undefined) return nothing;
  switch (attempt.phase) {
    case 'ended':
      return { actions: [], report: attempt };
    case 'launched':
    case 'running':
      return {
        actions: [{ kind: 'control', key: attempt.key, control: { suspended, capMs } }],
      };
    case 'queued':
    case 'held': {
      if (suspended) return { actions: [], refuse: attempt };
      if (capMs !== undefined) ledger.changeCap(attempt, capMs);
      const done = { kind: 'controlled', shard, taskId, fence, suspended, capMs } as const;
      return { actions: [{ kind: 'send', shard, message: done }] };
    }
  }
}

/**
 * The processes of an attempt do as they were told, which its shard wants to know. Once is not
 * enough: the word may be lost, or go to a leader that is none any more, after an order of that
 * leader which came late. The shard would then believe for ever what was true before. So it is said
 * again with every renewal (`controlsOf`).
 */
export function controlledStep(
  ledger: AttemptLedger,
  key: AttemptKey,
  control: AttemptControl,
): readonly WorkerAction[] {
  const attempt = ledger.find(key);
  if (attempt === undefined || attempt.phase === 'ended') return [];
  attempt.control = control;
  return wordOf(attempt);
}

/** What the attempts of a shard that were told something do now. */
export const controlsOf = (ledger: AttemptLedger, shard: ShardId): readonly WorkerAction[] =>
  ledger.processes().flatMap(attempt => (attempt.ref.shard === shard ? wordOf(attempt) : []));

function wordOf({ ref, control }: Attempt): readonly WorkerAction[] {
  if (control === undefined) return [];
  const { shard, taskId, fence } = ref;
  const message = { kind: 'controlled', shard, taskId, fence, ...control } as const;
  return [{ kind: 'send', shard, message }];
}
