/**
 * The spec that a document was read as, each field by its name: this is done at every submit, and
 * to copy the draft and overwrite some of it takes several times as long.
 */
import type { Run, TaskSpec } from './spec.ts';
import type { SpecDraft } from './spec-field-readers.ts';
import { waitingOf } from './spec-waiting.ts';

/** Amounts and cap are those of the tier where the draft has none. */
export function specOf(
  draft: SpecDraft,
  run: Run,
  { request, limit }: Pick<TaskSpec, 'request' | 'limit'>,
  capMs: number,
): TaskSpec {
  const { toleranceMs, expireMs, priority, offPeak } = waitingOf(draft);
  const { spread: label, name } = draft;
  const spec: { readonly [Name in keyof Required<TaskSpec>]: TaskSpec[Name] } = {
    tenant: draft.tenant,
    owner: draft.owner,
    name,
    run,
    env: draft.env,
    cwd: draft.cwd,
    tier: draft.tier,
    request,
    limit,
    labels: draft.labels,
    require: draft.require,
    prefer: draft.prefer,
    spread: label === undefined ? undefined : { label, group: name },
    holdIfUnfit: draft.holdIfUnfit,
    idempotencyKey: draft.idempotencyKey,
    orderKey: draft.orderKey,
    maxRunningPer: draft.maxRunningPer,
    attempts: draft.attempts,
    backoff: draft.backoff,
    retryOn: draft.retryOn,
    noRetryOn: draft.noRetryOn,
    capMs,
    graceMs: draft.graceMs,
    leaseMs: draft.leaseMs,
    outputBytesMax: draft.outputBytesMax,
    notBeforeMs: draft.notBeforeMs,
    delayMs: draft.delayMs,
    toleranceMs,
    expireMs,
    periodMs: undefined,
    priority,
    offPeak,
    after: draft.after,
    when: draft.when,
    gang: draft.gang,
    reservation: draft.reservation,
    template: draft.template,
  };
  return spec;
}
