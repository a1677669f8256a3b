/** A task as people and programs see it, from its record and its spec. */
import { attemptOf, type Outcome } from '../model/attempt.ts';
import { sameResources } from '../model/resources.ts';
import type { Run, TaskSpec } from '../model/spec.ts';
import { withOverrides } from '../model/spec-overrides.ts';
import { writeUpdateDocument } from '../model/spec-update.ts';
import { classOf, toleranceOf } from '../model/start-bound.ts';
import {
  type AttemptView,
  type BoundView,
  isSettled,
  type PlacementPause,
  reasonOfHolds,
  type TaskSummary,
  type TaskView,
  type UpdateView,
  type WaitingReason,
} from '../model/task.ts';
import { formatTemplateUse } from '../model/template-use.ts';
import type { AttemptRecord } from './memory/task-detail.ts';
import type { TaskRecord } from './record.ts';

interface ViewOptions {
  readonly shard: number;
  readonly stale: boolean;
  readonly deadLetter?: boolean | undefined;
  /** Why the planner leaves it waiting, from `waitingReasons`; ignored once it does not wait. */
  readonly reason?: string | undefined;
  /** A pause of its tenant, or of all. */
  readonly tenantPaused?: PlacementPause | undefined;
  /** The leader's clock; without it no class is told. */
  readonly nowMs?: number | undefined;
}

/** A word as a shell would need it to be written. */
function quoted(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What runs, in one line for a person. */
export function commandLine(run: Run): string {
  if (run.kind === 'command') return run.argv.map(quoted).join(' ');
  if (run.kind === 'script') return [run.name, ...run.args].map(quoted).join(' ');
  return '(nothing)';
}

function reasonOf(record: TaskRecord, planned: string | undefined): string | undefined {
  if (record.suspended === true) return 'stands still';
  if (record.state !== 'waiting') return record.reason === '' ? undefined : record.reason;
  const held = reasonOfHolds(record.holds);
  // All of a gang wait for what the one waits for that stands in the queue for them.
  const isPlanned = planned !== undefined && planned !== 'Queued';
  if (held !== undefined && !(held === 'Gang' && isPlanned)) return held;
  if (planned !== undefined) return planned;
  return record.backedOff ? reasonOfPause(record) : 'Queued';
}

/** Why a task is not ready before its time: it never was, or it ran and failed. */
export const reasonOfPause = ({ runs }: TaskRecord): WaitingReason =>
  runs === 0 ? 'BeginTime' : 'BackOff';

function attemptView(attempt: AttemptRecord): AttemptView {
  return {
    attempt: attemptOf(attempt.fence),
    fence: attemptOf(attempt.fence) === attempt.fence ? undefined : attempt.fence,
    run: attempt.run,
    node: attempt.node,
    nodeName: attempt.nodeName,
    assignedAtMs: attempt.assignedAtMs,
    startedAtMs: attempt.startedAtMs,
    endedAtMs: attempt.endedAtMs,
    outcome: attempt.outcome,
  };
}

/** How a settled task ended. */
export function outcomeOf(record: TaskRecord): Outcome | undefined {
  if (!isSettled(record.state)) return undefined;
  return record.outcome ?? record.attempts.at(-1)?.outcome;
}

/** What the view says of the start that a task waits for. */
export function boundView(
  record: TaskRecord,
  spec: TaskSpec,
  nowMs: number | undefined,
): BoundView {
  const boundMs = record.readySinceMs + toleranceOf(spec);
  const hasStarted = record.attempts.some(({ startedAtMs }) => startedAtMs !== undefined);
  const isFirst = record.runs === 0 && !hasStarted && record.holds === 0;
  const isUnstarted = isFirst && (record.state === 'waiting' || record.state === 'assigned');
  const isWaiting = record.state === 'waiting' && record.holds === 0;
  const { expireMs } = spec;
  return {
    startBoundMs: isUnstarted ? boundMs : undefined,
    boundMissed: record.boundMissed || undefined,
    expiresAtMs: isUnstarted && expireMs !== undefined ? record.readySinceMs + expireMs : undefined,
    class: isWaiting && nowMs !== undefined ? classOf(spec, boundMs, nowMs) : undefined,
    priority: spec.priority,
  };
}

function updateOf({ update }: TaskRecord, submitted: TaskSpec): UpdateView | undefined {
  if (update === undefined) return undefined;
  const { by, atMs, overrides } = update;
  return { by, atMs, set: writeUpdateDocument(submitted, overrides) };
}

function attemptsOf(record: TaskRecord): AttemptView[] {
  const views = record.attempts.map(attemptView);
  const live = views.at(-1);
  if (record.suspended === true && live) views[views.length - 1] = { ...live, suspended: true };
  return views;
}

/** `submitted` is the spec as it was given; what was changed since is in the record. */
export function toView(record: TaskRecord, submitted: TaskSpec, options: ViewOptions): TaskView {
  const spec = withOverrides(submitted, record.update?.overrides);
  const { template } = spec;
  return {
    id: record.id,
    tenant: record.tenant,
    owner: spec.owner,
    name: spec.name,
    state: record.state,
    reason: reasonOf(record, options.reason),
    outcome: outcomeOf(record),
    attempts: attemptsOf(record),
    runs: record.runs,
    attemptsMax: spec.attempts,
    lost: record.lost,
    supervisorsLost: record.supervisorsLost,
    deadLetter: options.deadLetter || undefined,
    orderKey: spec.orderKey,
    tier: spec.tier,
    request: spec.request,
    limit: sameResources(spec.request, spec.limit) ? undefined : spec.limit,
    command: commandLine(spec.run),
    submittedAtMs: record.submittedAtMs,
    settledAtMs: record.settledAtMs,
    notBeforeMs: record.backedOff ? record.readySinceMs : undefined,
    ...boundView(record, spec, options.nowMs),
    shard: options.shard,
    retryOf: record.retryOf,
    arrayId: record.arrayId,
    arrayIndex: record.arrayIndex,
    schedule: record.firing?.schedule,
    occurrenceAtMs: record.firing?.occurrenceMs,
    workflowId: record.workflow?.id,
    after: spec.after,
    when: spec.when,
    gang: spec.gang,
    reservation: spec.reservation,
    cancelRequested: record.cancelRequested,
    paused: isSettled(record.state) ? undefined : record.pause,
    tenantPaused: isSettled(record.state) ? undefined : options.tenantPaused,
    labels: spec.labels.length === 0 ? undefined : Object.fromEntries(spec.labels),
    updated: updateOf(record, submitted),
    template: template && formatTemplateUse(template),
    stale: options.stale,
  };
}

/** A row of a listing. */
export function toSummary(
  record: TaskRecord,
  submitted: TaskSpec,
  options: ViewOptions,
): TaskSummary {
  const spec = withOverrides(submitted, record.update?.overrides);
  return {
    id: record.id,
    tenant: record.tenant,
    name: spec.name,
    state: record.state,
    reason: reasonOf(record, options.reason),
    tier: spec.tier,
    command: commandLine(spec.run),
    submittedAtMs: record.submittedAtMs,
    settledAtMs: record.settledAtMs,
    runs: record.runs,
    attemptsMax: spec.attempts,
    shard: options.shard,
    nodeName: record.attempts.at(-1)?.nodeName,
  };
}
