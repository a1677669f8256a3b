/** What a dispatch asks a worker to start. Pure. */
import { type Outcome, systemOutcome } from '../model/attempt.ts';
import { DecodeError } from '../model/bytes.ts';
import { decodeSpec } from '../model/spec.ts';
import type { AttemptRef, ToWorker } from '../model/worker-protocol.ts';
import type { Launch } from './action.ts';
import { attemptKey } from './attempt-ledger.ts';

/** What is to be started, or how it ended where its spec cannot be read. */
export function launchOf(
  ref: AttemptRef,
  message: Extract<ToWorker, { kind: 'dispatch' }>,
): { readonly launch: Launch } | { readonly outcome: Outcome } {
  const { run, arrayIndex, inputs, boundInMs } = message;
  const key = attemptKey(ref.taskId, ref.fence);
  try {
    const spec = decodeSpec(message.spec);
    return { launch: { ...ref, key, run, arrayIndex, ports: [], inputs, spec, boundInMs } };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { outcome: systemOutcome('startFailed', 0, `cannot read the spec: ${error.message}`) };
  }
}
