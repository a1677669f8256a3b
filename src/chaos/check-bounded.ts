/**
 * Whether every task with a start bound began before it, or was told of once. When it really began
 * is what its attempts say, by the machine's monotonic clock; the bound itself lies between the
 * first try of its submit and the acknowledgement, later by its tolerance.
 */
import type { AttemptLife } from './attempt-log.ts';
import { clocksMoved, counted, type Finding, type Seen } from './finding.ts';
import type { History, SubmitRecord, TaskRecord } from './history.ts';

/** Clocks of different machines are not quite one. */
const skewMs = 500;
/** A busy machine takes so long from starting an attempt to its first line. */
const spawnMs = 5_000;

export function checkBounded({ history, lives }: Seen): Finding {
  const cases: string[] = [];
  let looked = 0;
  let late = 0;
  for (const submit of history.submits) {
    const { number, id = '', ackedMs, toleranceMs } = submit;
    const task = history.tasks.get(id);
    // One that was not taken, or is not there, is told by the checks for that.
    if (toleranceMs === undefined || ackedMs === undefined || task === undefined) continue;
    looked++;
    const told = history.told.get(id) ?? [];
    const why = lateness(history, submit, task, lives.get(number) ?? []);
    if (why !== undefined || task.boundMissed === true) late++;
    const which = `task ${number} (${id})`;
    if (why !== undefined && task.boundMissed !== true && told.length === 0) {
      cases.push(`${which} ${why}, and nobody was told`);
      continue;
    }
    for (const fault of tellingFaults(history, submit, task, told)) cases.push(`${which} ${fault}`);
  }
  const missed = history.toldWhole ? '' : '; not all events could be read';
  return {
    cases,
    looked,
    what: `${counted(looked, 'task')} with a bound, ${late} of them late${missed}`,
  };
}

/** How a task began too late; `undefined` where it did not, or where nobody can say. */
function lateness(
  history: History,
  { ackedMs, startBoundMs, toleranceMs }: SubmitRecord,
  task: TaskRecord,
  lives: readonly AttemptLife[],
): string | undefined {
  if (clocksMoved(history)) return undefined;
  const recordedMs = (task.attempts[0]?.startedAtMs ?? 0) - (startBoundMs ?? 0);
  if (startBoundMs !== undefined && recordedMs > skewMs) {
    return `is recorded to have started ${recordedMs} ms after its bound`;
  }
  const isSeen = task.attempts.every(({ nodeName }) => !history.unseen.includes(nodeName));
  if (!isSeen) return undefined;
  const began = Math.min(...lives.map(life => (life.fromS - history.upAtStartS) * 1_000));
  const boundMs = ackedMs! + toleranceMs!;
  if (began <= boundMs + spawnMs || !Number.isFinite(began)) return undefined;
  return `began ${Math.round(began - boundMs)} ms after its bound`;
}

/** What is wrong with how it was told: once, where its record says so, and not too early. */
function tellingFaults(
  history: History,
  { startBoundMs }: SubmitRecord,
  task: TaskRecord,
  told: readonly number[],
): readonly string[] {
  const faults: string[] = [];
  const isMissed = task.boundMissed === true;
  if (told.length > 1) faults.push(`was told of ${told.length} times`);
  if (told.length === 0 && isMissed && history.toldWhole) {
    faults.push('is recorded to have missed its bound, and nobody was told');
  }
  if (told.length > 0 && !isMissed) {
    faults.push('was told of, and is not recorded to have missed its bound');
  }
  const earlyMs = startBoundMs === undefined ? 0 : startBoundMs - (told[0] ?? startBoundMs);
  if (earlyMs > skewMs && !clocksMoved(history)) {
    faults.push(`was told of ${earlyMs} ms before its bound`);
  }
  return faults;
}
