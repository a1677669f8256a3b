/** Why a task is where it is: in a sentence, with what each node says to it. */
import { attemptOf } from '../model/attempt.ts';
import type { NodeId } from '../model/ids.ts';
import type { NodeView } from '../model/planning.ts';
import type { TaskSpec } from '../model/spec.ts';
import { sentence, verdicts } from '../placement/explain.ts';
import type { Explanation } from '../ports/node-api.ts';
import { demandOf } from '../shard/memory/spec-table.ts';
import type { TaskRecord } from '../shard/record.ts';

export function explainTask(input: {
  readonly record: TaskRecord;
  readonly spec: TaskSpec;
  readonly reason: string | undefined;
  readonly views: readonly NodeView[];
  readonly nowMs: number;
  readonly place: { readonly position: number; readonly ready: number } | undefined;
  /** Tasks before it in the line of its order key. */
  readonly ahead: number | undefined;
  readonly nodeOf: (id: NodeId) => string;
}): Explanation {
  const { record, reason, views, place } = input;
  const judged = verdicts(demandOf(input.spec), record.avoid, views, input.nowMs);
  return {
    id: record.id,
    state: record.state,
    reason,
    message: explainState(record, reason, input),
    position: place?.position,
    readyInShard: place?.ready,
    nodes: views.map((view, position) => ({
      node: view.advertisement.node,
      name: view.advertisement.name,
      tier: view.advertisement.tier,
      advertAgeMs: Math.round(view.ageMs),
      verdict: judged[position]!.verdict,
      sentence: sentence(judged[position]!.verdict),
    })),
  };
}

function explainState(
  record: TaskRecord,
  reason: string | undefined,
  about: { readonly nodeOf: (id: NodeId) => string; readonly ahead: number | undefined },
): string {
  const last = record.attempts[record.attempts.length - 1];
  const where = last === undefined ? '' : ` on node ${about.nodeOf(last.node)}`;
  switch (record.state) {
    case 'waiting':
      return waitingSentence(reason, about.ahead);
    case 'assigned':
      return `assigned to attempt ${attemptOf(record.fence)}${where}; it has not started yet`;
    case 'running':
      return `attempt ${attemptOf(record.fence)} runs${where}`;
    default:
      return record.reason === ''
        ? `settled: ${record.state}`
        : `settled: ${record.state}, ${record.reason}`;
  }
}

function waitingSentence(reason: string | undefined, ahead = 0): string {
  switch (reason) {
    case 'OrderKey':
      return `waits for its turn: ${ahead} of its order key that were taken before it have not settled`;
    case 'MaxRunning':
      return `waits for its turn: as many of its key run as may, ${ahead} stand before it`;
    case 'Resources':
      return 'waits for free resources: every node that could run it is full';
    case 'TierUnavailable':
      return 'no node at hand has the tier and labels it asks for';
    case 'NoNodes':
      return 'no node that could run anything has been heard of lately';
    case 'NeverFits':
      return 'no node at hand is large enough, even when empty';
    case 'Quota':
      return 'the tasks of its tenant hold all that the plan allows; `tsched tenant show` tells';
    case 'BackOff':
      return 'waits for its back-off before the next attempt';
    case 'ShardNoQuorum':
      return 'its shard has no leader with a majority; what is shown may be old';
    case 'Gang':
      return 'waits for the others of its gang: they are placed together';
    case 'Reservation':
      return 'no node keeps room for the reservation that it names: it is over, or all its nodes left';
    default:
      return 'ready, and not yet looked at by the planner';
  }
}
