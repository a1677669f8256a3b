/** Why a task is where it is: in a sentence, with what each node says to it. */
import { attemptOf } from '../model/attempt.ts';
import { explainReason } from '../model/explanation.ts';
import type { NodeId } from '../model/ids.ts';
import { formatInstant } from '../model/instant.ts';
import type { NodeView } from '../model/planning.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { PauseView, PlacementPause, TaskEvent, WaitingReason } from '../model/task.ts';
import type { Explanation } from '../ports/node-api.ts';
import { demandOf } from '../shard/memory/traits.ts';
import type { TaskRecord } from '../shard/record.ts';
import { boundView, outcomeOf } from '../shard/view.ts';
import { decisionsOf } from './decisions.ts';
import { estimateStart } from './estimate.ts';
import { nodeVerdicts } from './node-verdicts.ts';

/** Tasks named in one sentence. */
const shownMax = 3;

export function explainTask(input: {
  readonly record: TaskRecord;
  readonly spec: TaskSpec;
  /** While it waits. */
  readonly reason: WaitingReason | undefined;
  readonly views: readonly NodeView[];
  readonly nowMs: number;
  readonly wallMs: number;
  readonly place: { readonly position: number; readonly ready: number } | undefined;
  /** Tasks before it in the line of its order key. */
  readonly ahead: number | undefined;
  readonly nodeOf: (id: NodeId) => string;
  /** A pause of its tenant, or of all. */
  readonly tenantPaused: PlacementPause | undefined;
  /** Events of the task that its shard still holds. */
  readonly events: readonly TaskEvent[];
  /** Starts in its shard, where this node leads it. */
  readonly lately: { readonly starts: number; readonly overMs: number } | undefined;
}): Explanation {
  const { record, spec, reason, views, place, wallMs } = input;
  return {
    id: record.id,
    state: record.state,
    reason: explainReason({
      state: record.state,
      cancelling: record.cancelRequested !== undefined,
      outcome: outcomeOf(record)?.kind,
      waiting: reason,
    }),
    message: explainState(record, reason, input),
    position: place?.position,
    readyInShard: place?.ready,
    ...boundView(record, spec, wallMs),
    estimate:
      reason === undefined
        ? undefined
        : estimateStart({
            reason,
            nowMs: wallMs,
            readyAtMs: record.readySinceMs,
            place,
            lately: input.lately,
          }),
    decisions: decisionsOf(record, input.events, input.nodeOf),
    nodes: nodeVerdicts(demandOf(spec), record.avoid, views, input.nowMs),
  };
}

function explainState(
  record: TaskRecord,
  reason: WaitingReason | undefined,
  about: {
    readonly nodeOf: (id: NodeId) => string;
    readonly ahead: number | undefined;
    readonly tenantPaused: PlacementPause | undefined;
  },
): string {
  const last = record.attempts[record.attempts.length - 1];
  const where = last === undefined ? '' : ` on node ${about.nodeOf(last.node)}`;
  switch (record.state) {
    case 'waiting':
      return reason === 'BeginTime'
        ? `waits for the time before which it is not to start: ${formatInstant(record.readySinceMs)}`
        : reason === 'Paused'
          ? pausedSentence(record, about.tenantPaused, 'paused')
          : waitingSentence(record, reason, about.ahead);
    case 'assigned':
      return `assigned to attempt ${attemptOf(record.fence)}${where}; it has not started yet`;
    case 'running': {
      const which = `attempt ${attemptOf(record.fence)}`;
      if (record.suspended !== true) return `${which} runs${where}`;
      return `${which} stands still${where}: ${pausedSentence(record, about.tenantPaused, 'suspended')}`;
    }
    default:
      return record.reason === ''
        ? `settled: ${record.state}`
        : `settled: ${record.state}, ${record.reason}`;
  }
}

/** Who paused it and why, and what takes that back. */
function pausedSentence(
  { id, pause }: TaskRecord,
  tenantPaused: PlacementPause | undefined,
  word: 'paused' | 'suspended',
): string {
  const said = ({ by, reason }: PauseView): string =>
    `${word} by ${by}${reason === '' ? '' : `: ${reason}`}`;
  const suspends = (one: PauseView | undefined): boolean => word === 'paused' || !!one?.suspend;
  if (pause !== undefined && suspends(pause)) {
    return `${said(pause)}; \`tsched resume ${id}\` lets it go on`;
  }
  if (tenantPaused === undefined || !suspends(tenantPaused)) return `it was ${word}`;
  const { tenant } = tenantPaused;
  const what = tenant === '*' ? 'cluster' : `tenant ${tenant}`;
  const whose = tenant === '*' ? 'the whole cluster' : what;
  return `${whose} was ${said(tenantPaused)}; \`tsched resume ${what}\` lets it go on`;
}

function dependencySentence({ dependency, workflow }: TaskRecord): string {
  const awaited = dependency?.awaited ?? [];
  const inside = (dependency?.unmet ?? 0) - awaited.length;
  const parts: string[] = [];
  if (inside > 0 && workflow !== undefined) {
    parts.push(`${inside} of workflow ${workflow.id}, which \`tsched status\` draws`);
  }
  if (awaited.length > 0) {
    const more = awaited.length > shownMax ? ` and ${awaited.length - shownMax} more` : '';
    parts.push(`task ${awaited.slice(0, shownMax).join(', ')}${more}`);
  }
  return `waits for others to settle first: ${parts.join('; ')}`;
}

function waitingSentence(record: TaskRecord, reason: WaitingReason | undefined, ahead = 0): string {
  switch (reason) {
    case 'Dependency':
      return dependencySentence(record);
    case 'OrderKey':
      return `waits for its turn: ${ahead} of its order key that were taken before it have not settled`;
    case 'MaxRunning':
      return `waits for its turn: as many of its key run as may, ${ahead} stand before it`;
    case 'Resources':
      return 'waits for free resources: every node that could run it is full';
    case 'RoomKept':
      return (
        'waits for free resources: every node that could run it is full; room is kept for it, or ' +
        'for the one of its kind that comes first, until enough has ended'
      );
    case 'TierUnavailable':
      return 'no node at hand has the tier and labels it asks for';
    case 'NoNodes':
      return 'no node that could run anything has been heard of lately';
    case 'NeverFits':
      return 'no node at hand is large enough, even when empty';
    case 'Quota':
      return 'the tasks of its tenant hold all that the plan allows; `tsched tenant show` tells';
    case 'Priority':
      return 'a node has room, which is kept for tasks before it, or left to others that want it too';
    case 'OffPeak':
      return 'held off the peak: until the load or a window lets it go, or its start bound is near';
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
