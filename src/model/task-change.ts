/** What people ask of tasks that are there: data on its way to the leader of their shard. */
import type { ShardCommand } from './command.ts';
import { TschedError } from './errors.ts';

export type TaskChange = ShardCommand extends infer C
  ? C extends ShardCommand & { readonly kind: 'cancel' | 'pause' | 'resume' | 'update' }
    ? Omit<C, 'atMs' | 'actor'>
    : never
  : never;

/** A change without the tasks that it is about. */
export type TaskRequest = TaskChange extends infer C
  ? C extends TaskChange
    ? Omit<C, 'items'>
    : never
  : never;

export type TaskChangeKind = TaskChange['kind'];

export const isTaskChange = <C extends ShardCommand>(
  command: C,
): command is C & { readonly kind: TaskChangeKind } =>
  ['cancel', 'pause', 'resume', 'update'].includes(command.kind);

/** Programs of cluster version 2 know how to cancel, and stop at an entry that says more. */
export function refuseTooNew(change: TaskChange, clusterVersion: number): void {
  if (change.kind === 'cancel' || clusterVersion >= 3) return;
  throw new TschedError(
    'notYet',
    `to ${change.kind} needs cluster version 3: every node has to run a newer program first`,
  );
}

/** What people ask of tasks beside cancelling them. */
export type TaskControl = Exclude<TaskRequest, { readonly kind: 'cancel' }>;
