/**
 * The promises, each held against the history of a run. Pure. A check that fails names what it
 * found, a bounded number of cases; one that had nothing to look at fails too, because it shows
 * nothing.
 */
import { byBegin, isBefore, livesOf, overlapsOf } from './attempt-log.ts';
import { checkBounded } from './check-bounded.ts';
import { checkFired } from './check-fired.ts';
import { checkOrdered } from './check-ordered.ts';
import type { Finding, Seen } from './finding.ts';
import type { History, TaskRecord } from './history.ts';
import { recoveries } from './recovery.ts';
import type { CheckBounds } from './scenario.ts';

export interface CheckResult {
  readonly name: string;
  /** The promise as a sentence. */
  readonly promise: string;
  readonly ok: boolean;
  /** What was looked at, or how many cases there are. */
  readonly found: string;
  readonly cases: readonly string[];
}

interface Check {
  readonly name: string;
  readonly promise: string;
  /** The same for a cluster that was there before the run. */
  readonly attached?: string;
  /** It is left out of a run that had nothing of what it is about. */
  readonly concerns?: (history: History) => boolean;
  readonly run: (seen: Seen) => Finding;
}

const casesMax = 20;
/** After so many lost attempts, or ended supervisors, a task is given up: `shard/DESIGN.md`. */
const [lostMax, supervisorsLostMax] = [5, 2];
const settledStates = ['succeeded', 'failed', 'cancelled', 'aborted'];

const checks: readonly Check[] = [
  {
    name: 'taken',
    promise: 'Every submit was acknowledged in the end',
    run: checkTaken,
  },
  {
    name: 'kept',
    promise: 'Every acknowledged task exists and has settled',
    run: checkKept,
  },
  { name: 'once', promise: 'Every task has one outcome, the one it had', run: checkOnce },
  { name: 'alone', promise: 'No two attempts of a task lived at once', run: checkAlone },
  {
    name: 'fenced',
    promise: 'Every attempt had a fence that nobody had before it',
    run: checkFenced,
  },
  {
    name: 'ordered',
    promise: 'Tasks of an order key ran one at a time, in the order of their submits',
    concerns: ({ submits }) => submits.some(({ orderKey }) => orderKey !== undefined),
    run: checkOrdered,
  },
  {
    name: 'bounded',
    promise: 'Every task with a start bound began before it, or was told of once',
    concerns: ({ submits }) => submits.some(({ toleranceMs }) => toleranceMs !== undefined),
    run: checkBounded,
  },
  {
    name: 'fired',
    promise: 'Every occurrence of a schedule fired once',
    concerns: ({ schedules }) => schedules.length > 0,
    run: checkFired,
  },
  { name: 'same', promise: 'All replicas of a shard hold the same state', run: checkSame },
  {
    name: 'recovered',
    promise: 'After every fault tasks were taken again and every shard was led in time',
    run: checkRecovered,
  },
  { name: 'stood', promise: 'No node ended that nobody ended', run: checkStood },
  {
    name: 'clean',
    promise: 'No process was left behind',
    attached: 'Every node runs that ran before, and nothing else was left behind',
    run: checkClean,
  },
];

/** Holds every promise against the history. */
export function checkHistory(history: History, bounds: CheckBounds): CheckResult[] {
  const seen = { history, bounds, lives: livesOf(history.lines) };
  const concerned = checks.filter(({ concerns = () => true }) => concerns(history));
  return concerned.map(({ name, run, ...check }) => {
    const promise = (history.attached ? check.attached : undefined) ?? check.promise;
    const { cases, looked, what } = run(seen);
    const ok = cases.length === 0 && looked > 0;
    const nothing = `there was nothing to look at: ${what}`;
    const many = `${cases.length} ${cases.length === 1 ? 'case' : 'cases'} of ${what}`;
    return {
      ...{ name, promise, ok },
      found: ok ? what : cases.length > 0 ? many : nothing,
      cases: cases.slice(0, casesMax),
    };
  });
}

/** Whatever is repeated long enough is taken once everything has healed. */
function checkTaken({ history }: Seen): Finding {
  const open = history.submits.filter(submit => submit.ackedMs === undefined);
  const cases = open.map(
    ({ number, begunMs, tries }) =>
      `task ${number} was tried ${tries} times since ${Math.round(begunMs)} ms, in vain`,
  );
  const { length } = history.submits;
  return { cases, looked: length, what: `${length} submits` };
}

function checkKept({ history }: Seen): Finding {
  const cases: string[] = [];
  const acked = history.submits.filter(submit => submit.ackedMs !== undefined);
  for (const { number, id = '', otherId } of acked) {
    const task = history.tasks.get(id);
    if (task === undefined) cases.push(`task ${number} (${id}) was acknowledged and is not there`);
    else if (!settledStates.includes(task.state)) {
      cases.push(`task ${number} (${id}) is still ${task.state}`);
    }
    if (otherId !== undefined) cases.push(`task ${number} became two: ${id} and ${otherId}`);
  }
  return { cases, looked: acked.length, what: `${acked.length} acknowledged tasks` };
}

function checkOnce({ history, lives }: Seen): Finding {
  const cases: string[] = [];
  const known = [...history.tasks.values()].filter(task => task !== undefined);
  const ended = new Set(
    [...lives.values()].flat().flatMap(life => (life.ended ? [`${life.id} ${life.fence}`] : [])),
  );
  for (const task of known) {
    for (const fault of outcomeFaults(task, ended, history.unseen))
      cases.push(`task ${task.id} ${fault}`);
  }
  return { cases, looked: known.length, what: `${known.length} tasks` };
}

/** Every task of a run succeeds by itself; whatever else is recorded, a fault must explain. */
function outcomeFaults(
  task: TaskRecord,
  ended: ReadonlySet<string>,
  unseen: readonly string[],
): string[] {
  if (!settledStates.includes(task.state)) return [];
  const kinds = task.attempts.map(attempt => attempt.outcome?.kind);
  const supervisors = task.supervisorsLost ?? 0;
  const isGivenUp = task.lost >= lostMax || supervisors >= supervisorsLostMax;
  if (kinds.at(-1) === 'lost' && isGivenUp && task.state !== 'cancelled') return [];
  if (task.state !== 'succeeded') return [`settled as ${task.state}`];
  const faults: string[] = [];
  const [last] = task.attempts.slice(-1);
  if (kinds.at(-1) !== 'succeeded') faults.push(`has ${kinds.at(-1)} as its last outcome`);
  else if (!unseen.includes(last!.nodeName) && !ended.has(`${task.id} ${last!.attempt}`)) {
    faults.push(`is said to have succeeded in attempt ${last!.attempt}, which did not end`);
  }
  const others = kinds.slice(0, -1).filter(kind => kind !== 'lost');
  if (others.length > 0) faults.push(`has further outcomes: ${others.join(', ')}`);
  return faults;
}

function checkAlone({ lives }: Seen): Finding {
  const cases: string[] = [];
  let looked = 0;
  for (const [number, ofTask] of lives) {
    looked += ofTask.length;
    for (const life of ofTask.toSorted(byBegin)) {
      if (life.boots.length === 1) continue;
      cases.push(`task ${number}: attempt ${life.fence} lived in boots ${life.boots.join(', ')}`);
    }
    for (const [earlier, later] of overlapsOf(ofTask)) {
      const overlapMs = Math.round((Math.min(earlier.toS, later.toS) - later.fromS) * 1_000);
      cases.push(
        `task ${number}: attempt ${earlier.fence} on ${earlier.node} lived until ` +
          `${earlier.toS} s, attempt ${later.fence} on ${later.node} since ${later.fromS} s ` +
          `(${overlapMs} ms together)`,
      );
    }
  }
  return { cases, looked, what: `${looked} attempts` };
}

function checkFenced({ history, lives }: Seen): Finding {
  const cases: string[] = [];
  let looked = 0;
  for (const [number, ofTask] of lives) {
    looked += ofTask.length;
    const ids = new Set(ofTask.map(life => life.id));
    if (ids.size > 1)
      cases.push(`task ${number} ran under ${ids.size} IDs: ${[...ids].join(', ')}`);
    for (const [place, life] of ofTask.entries()) {
      const before = ofTask[place - 1];
      const which = `task ${number}: attempt ${life.fence}`;
      if (life.starts !== 1) cases.push(`${which} started ${life.starts} times`);
      if (before !== undefined && before.id === life.id && isBefore(life, before)) {
        cases.push(`${which} started before attempt ${before.fence}`);
      }
      const task = history.tasks.get(life.id);
      const recorded = task?.attempts.some(attempt => attempt.attempt === life.fence);
      if (task !== undefined && recorded !== true) cases.push(`${which} is not on record`);
    }
  }
  return { cases, looked, what: `${looked} attempts` };
}

function checkSame({ history }: Seen): Finding {
  const { compared, divergences, behind } = history.comparison;
  const cases = [
    ...divergences.map(
      ({ shard, applied, nodes: [left, right] }) =>
        `shard ${shard} differs between ${left} and ${right} at entry ${applied}`,
    ),
    ...behind.map(replica => `${replica} did not come level with the others`),
  ];
  const lone = history.nodes < 2;
  const what = lone ? 'one replica of each shard' : `${compared} pairs of equal position`;
  return { cases, looked: lone ? 1 : compared, what };
}

function checkRecovered({ history, bounds }: Seen): Finding {
  const cases: string[] = [];
  const measured = recoveries(history);
  for (const { fault, since, ackMs, ledMs } of measured) {
    const { kind } = history.faults.find(one => one.number === fault)!;
    const say = (what: string, tookMs: number | undefined, boundMs: number): void => {
      if (tookMs !== undefined && tookMs <= boundMs) return;
      const took = tookMs === undefined ? 'never' : `after ${tookMs} ms`;
      cases.push(`fault ${fault} (${kind}): ${what} ${took} since its ${since}`);
    };
    say('a submit was acknowledged', ackMs, bounds.ackWithinMs);
    say('every shard was led', ledMs, bounds.ledWithinMs);
  }
  for (const { number, kind, failed } of history.faults) {
    if (failed !== undefined) cases.push(`fault ${number} (${kind}) was not done: ${failed}`);
  }
  const none = history.faults.length === 0;
  const count = history.faults.length;
  const what = none ? 'no fault' : `${count} ${count === 1 ? 'fault' : 'faults'}`;
  return { cases, looked: none ? 1 : measured.length, what };
}

function checkStood({ history }: Seen): Finding {
  const cases = history.unexpectedEnds.map(
    ({ node, atMs, how }) => `${node} ended by itself after ${Math.round(atMs)} ms: ${how}`,
  );
  return { cases, looked: history.nodes, what: `${history.nodes} nodes` };
}

function checkClean({ history }: Seen): Finding {
  const what = history.attached ? `${history.nodes} nodes` : 'processes of the run';
  return { cases: history.leftovers, looked: 1, what };
}
