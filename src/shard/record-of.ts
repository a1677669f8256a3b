/** A task of the state in the form in which it is stored, shown and compared. */
import { taskStates } from '../model/task.ts';
import type { TaskRecord, TaskRecordBody } from './record.ts';
import type { ShardState } from './state.ts';

export function recordOf(state: ShardState, row: number): TaskRecord {
  const { table, specs } = state;
  const digest = specs.digestHex(table.spec(row));
  return { id: table.id(row), digest, ...recordBodyOf(state, row) };
}

export function recordBodyOf(state: ShardState, row: number): TaskRecordBody {
  const { table, specs, lines } = state;
  const detail = table.detail(row);
  const spec = table.spec(row);
  const key = specs.key(spec);
  const attempts = detail?.ended ?? [];
  return {
    keyHash: key && { high: key.high, low: key.low },
    tenant: specs.traits(spec).tenant,
    state: taskStates[table.state(row)]!,
    fence: table.fence(row),
    runs: table.runs(row),
    lost: table.lost(row),
    submittedAtMs: table.submittedAt(row),
    readySinceMs: table.readySince(row),
    backedOff: table.isBackedOff(row),
    holds: table.holds(row),
    boundMissed: table.hasMissedBound(row) || undefined,
    lineNumber: lines.number(row),
    supervisorsLost: detail?.supervisorsLost || undefined,
    settledAtMs: detail?.settledAtMs || undefined,
    retryOf: detail?.retryOf,
    arrayId: detail?.arrayId,
    arrayIndex: detail?.arrayIndex,
    firing: detail?.firing,
    workflow: detail?.workflow,
    dependency: detail?.dependency,
    dependents: detail?.dependents && [...detail.dependents],
    cause: detail?.cause,
    cancelRequested: detail?.cancelRequested,
    recall: detail?.recall,
    avoid: detail?.avoid ?? [],
    attempts: detail?.live ? [...attempts, detail.live] : attempts,
    pause: detail?.pause,
    update: detail?.update,
    suspended: detail?.suspended === true ? true : undefined,
    outcome: detail?.outcome,
    reason: detail?.reason ?? '',
  };
}
