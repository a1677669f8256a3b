/** Reads what a scenario says of its work. */
import type { ProblemList } from '../model/spec-reading.ts';
import { type Scenario, workKinds } from './scenario.ts';
import { hourMs, Part } from './scenario-part.ts';

type Work = Pick<Scenario, 'rate' | 'workMs' | 'kinds' | 'ordered' | 'bounded' | 'schedules'>;

const shareDefault = 20;

export function readWorkload(whole: Part): Work {
  const known = ['rate', 'for', 'kinds', 'ordered', 'bounded', 'schedules'];
  const part = new Part(whole.problems, whole.at('workload'), whole.fields['workload'], known);
  return {
    rate: part.count('rate', { min: 1, max: 1_000 }) ?? 20,
    workMs: part.duration('for', { min: 1_000, max: hourMs }) ?? 30_000,
    kinds: readKinds(part),
    ...readShares(part),
    schedules: readSchedules(part),
  };
}

function readKinds(work: Part): Work['kinds'] {
  const part = inner(work, 'kinds', workKinds);
  const kinds = { quick: 0, short: 0, long: 0, busy: 0 };
  for (const kind of workKinds) kinds[kind] = part.count(kind, { min: 0, max: 100 }) ?? 0;
  if (!work.has('kinds')) Object.assign(kinds, { quick: 6, short: 3, long: 1 });
  else if (workKinds.every(kind => kinds[kind] === 0)) {
    part.problems.add(part.pointer, `must give a weight to one of ${workKinds.join(', ')}`);
  }
  return kinds;
}

/** A task is ordered, or bounded, or neither. */
function readShares(work: Part): Pick<Work, 'ordered' | 'bounded'> {
  const ordered = inner(work, 'ordered', ['keys', 'percent']);
  const bounded = inner(work, 'bounded', ['tolerance', 'percent']);
  const percent = { min: 0, max: 100 };
  const orderedPercent = ordered.count('percent', percent);
  const givenPercent = bounded.count('percent', percent);
  const boundedPercent =
    givenPercent ?? Math.min(shareDefault, 100 - (orderedPercent ?? shareDefault));
  // What is not said makes room for what is.
  const shares = [orderedPercent ?? Math.min(shareDefault, 100 - boundedPercent), boundedPercent];
  if (shares[0]! + shares[1]! > 100) {
    const both = `\`ordered\` and \`bounded\` are more than all tasks together`;
    bounded.problems.add(bounded.at('percent'), `must be at most ${100 - shares[0]!}: ${both}`);
  }
  return {
    ordered: { keys: ordered.count('keys', { min: 1, max: 1_000 }) ?? 3, percent: shares[0]! },
    bounded: {
      toleranceMs: bounded.duration('tolerance', { min: 1_000, max: hourMs }) ?? 2_000,
      percent: shares[1]!,
    },
  };
}

function readSchedules(work: Part): Work['schedules'] {
  const part = inner(work, 'schedules', ['once', 'everyMinute']);
  const many = { min: 0, max: 50 };
  return {
    once: part.count('once', many) ?? 3,
    everyMinute: part.count('everyMinute', many) ?? 1,
  };
}

function inner(work: Part, name: string, known: readonly string[]): Part {
  const problems: ProblemList = work.problems;
  return new Part(problems, work.at(name), work.fields[name], known);
}
