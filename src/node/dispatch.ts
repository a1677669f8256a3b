/** What a leader tells the worker of an attempt that is to start. */
import type { ToWorker } from '../model/worker-protocol.ts';
import type { LiveAttempt } from '../shard/live-attempt.ts';
import { specBytesWith } from './attempt-wishes.ts';
import { boundInMs, type NodeContext } from './context.ts';
import type { Live } from './live.ts';

type Dispatch = Extract<ToWorker, { readonly kind: 'dispatch' }>;

export const dispatchOf = (
  context: NodeContext,
  { ref, incarnation }: Live,
  attempt: LiveAttempt,
  more: Pick<Dispatch, 'renewed' | 'spec' | 'inputs' | 'immediate'>,
): Dispatch => ({
  kind: 'dispatch',
  ...ref,
  incarnation,
  renewed: more.renewed,
  run: attempt.run,
  arrayIndex: attempt.arrayIndex,
  spec: specBytesWith(more.spec, attempt.overrides),
  boundInMs: boundInMs(context, attempt.boundMs),
  inputs: more.inputs,
  // An earlier program reads no such word.
  immediate: (context.clusterVersion() >= 3 && more.immediate) || undefined,
});
