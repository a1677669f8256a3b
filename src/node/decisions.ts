/**
 * What was decided about a task, oldest first. Its attempts and its end stand in its record for
 * good; refusals, pauses and the like only among the newest events of its shard.
 */
import { attemptOf } from '../model/attempt.ts';
import type { Decision } from '../model/explanation.ts';
import type { NodeId } from '../model/ids.ts';
import type { EventKind, TaskEvent } from '../model/task.ts';
import type { Refusal } from '../model/worker-protocol.ts';
import type { AttemptRecord } from '../shard/memory/task-detail.ts';
import type { TaskRecord } from '../shard/record.ts';

/** Kinds that the record tells; events of them would say the same once more. */
const recorded: ReadonlySet<EventKind> = new Set([
  'submitted',
  'assigned',
  'started',
  'attemptEnded',
  'settled',
]);

const refusalWords: Record<Refusal, string> = {
  noRoom: 'it had no room',
  wrongIncarnation: 'its supervisor was another one by then',
  draining: 'it is to leave the cluster',
  noLease: 'it was not in touch with the shard',
  waitedTooLong: 'it stood in its queue in vain',
  noPorts: 'it had no ports to give',
  paused: 'its task was paused',
};

type Told = Omit<Decision, 'sentence'> & {
  /** What its node said of the end of an attempt; who paused or changed it, and what that is. */
  readonly said?: string | undefined;
  /** Of a pause. */
  readonly suspends?: boolean | undefined;
};

function sentenceOf(
  { kind, attempt, node, outcome, why, said, suspends }: Told,
  reason: string,
): string {
  const where = node === undefined ? 'a node' : node;
  const which = attempt === undefined ? 'an attempt' : `attempt ${attempt}`;
  switch (kind) {
    case 'submitted':
      return 'taken';
    case 'assigned':
      return `${which} given to ${where}`;
    case 'unassigned':
      return `${where} gave ${which} back${why === undefined ? '' : `: ${refusalWords[why]}`}`;
    case 'started':
      return `${which} started on ${where}`;
    case 'attemptEnded':
      return `${which} on ${where}: ${[outcome ?? 'ended', said].filter(Boolean).join(', ')}`;
    case 'cancelRequested':
      return 'to be cancelled';
    case 'settled':
      return reason === '' ? 'settled' : `settled: ${reason}`;
    case 'paused':
      return [suspends === true ? 'suspended' : 'paused', said].filter(Boolean).join(' ');
    case 'resumed':
      return 'resumed';
    case 'updated':
      return ['changed', said].filter(Boolean).join(' ');
    case 'boundMissed':
      return 'not started by its start bound';
    case 'deadLettered':
      return 'put with the dead letters';
    case 'fired':
      return 'made by its schedule';
  }
}

const exitText = (code: number | undefined): string =>
  code === undefined || code === 0 ? '' : `exit code ${code}`;

/** Of what may happen more than once the record has the newest: who, and what that was. */
function tellNewest(told: Told[], { pause, update }: TaskRecord): void {
  const newest = (kind: EventKind): Told | undefined => told.findLast(one => one.kind === kind);
  const paused = newest('paused');
  if (paused !== undefined && pause !== undefined) {
    const why = pause.reason === '' ? '' : `: ${pause.reason}`;
    Object.assign(paused, { said: `by ${pause.by}${why}`, suspends: pause.suspend });
  }
  const changed = newest('updated');
  if (changed !== undefined && update !== undefined) {
    Object.assign(changed, { said: `by ${update.by}` });
  }
}

function attemptDecisions(attempt: AttemptRecord): Told[] {
  const { assignedAtMs, startedAtMs, endedAtMs, outcome } = attempt;
  const about = { attempt: attemptOf(attempt.fence), node: attempt.nodeName };
  const told: Told[] = [{ atMs: assignedAtMs, kind: 'assigned', ...about }];
  if (startedAtMs !== undefined) told.push({ atMs: startedAtMs, kind: 'started', ...about });
  if (endedAtMs !== undefined) {
    const said = outcome?.message || outcome?.signal || exitText(outcome?.exitCode);
    const ended = { outcome: outcome?.kind, said };
    told.push({ atMs: endedAtMs, kind: 'attemptEnded', ...about, ...ended });
  }
  return told;
}

export function decisionsOf(
  record: TaskRecord,
  events: readonly TaskEvent[],
  nodeOf: (id: NodeId) => string,
): Decision[] {
  const told: Told[] = [{ atMs: record.submittedAtMs, kind: 'submitted' }];
  for (const attempt of record.attempts) told.push(...attemptDecisions(attempt));
  for (const { kind, atMs, attempt, node, outcome, why } of events) {
    if (recorded.has(kind)) continue;
    const name = node === undefined ? undefined : nodeOf(node);
    told.push({ atMs, kind, attempt: attempt || undefined, node: name, outcome, why });
  }
  tellNewest(told, record);
  // Clocks differ between nodes: only what happened at one instant keeps the order of above.
  told.sort((left, right) => left.atMs - right.atMs);
  if (record.settledAtMs !== undefined) {
    told.push({ atMs: record.settledAtMs, kind: 'settled', outcome: record.outcome?.kind });
  }
  return told.map(one => {
    const { said: _, suspends: __, ...decision } = one;
    return { ...decision, sentence: sentenceOf(one, record.reason) };
  });
}
