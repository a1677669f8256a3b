/**
 * Whether tasks of an order key ran one at a time, in the order of their submits: by what their
 * attempts say of themselves. Of two tasks whose submits were under way together either may be the
 * first; one that was acknowledged before the other was submitted has to end before that begins.
 */
import type { AttemptLife } from './attempt-log.ts';
import { counted, type Finding, type Seen } from './finding.ts';
import type { SubmitRecord } from './history.ts';

/** A task in its line, with every attempt of it. */
interface InLine {
  readonly submit: SubmitRecord;
  readonly lives: readonly AttemptLife[];
}

export function checkOrdered({ history, lives }: Seen): Finding {
  const lines = new Map<string, InLine[]>();
  let looked = 0;
  for (const submit of history.submits) {
    const { orderKey, number } = submit;
    const own = lives.get(number) ?? [];
    if (orderKey === undefined || own.length === 0) continue;
    looked++;
    const line = lines.get(orderKey);
    if (line === undefined) lines.set(orderKey, [{ submit, lives: own }]);
    else line.push({ submit, lives: own });
  }
  const cases = [...lines].flatMap(([key, line]) =>
    [...overlaps(line), ...inversions(line)].map(text => `order key ${key}: ${text}`),
  );
  const what = `${counted(looked, 'task')} of ${counted(lines.size, 'order key')}`;
  return { cases, looked, what };
}

/** By boot, then by time: what began in a later boot began later, whatever its clock. */
const isBefore = (left: AttemptLife, right: AttemptLife): boolean =>
  left.boots[0] === right.boots[0] ? left.fromS < right.fromS : left.boots[0]! < right.boots[0]!;

const compare = (left: AttemptLife, right: AttemptLife): number =>
  isBefore(left, right) ? -1 : isBefore(right, left) ? 1 : 0;

/** Attempts of two tasks that lived at once; those of one task are looked at by another check. */
function overlaps(line: readonly InLine[]): string[] {
  const all = line.flatMap(one => one.lives).sort(compare);
  const found: string[] = [];
  let latest: AttemptLife | undefined;
  for (const life of all) {
    if (latest?.boots.at(-1) !== life.boots[0]) latest = undefined;
    if (latest !== undefined && latest.number !== life.number && life.fromS < latest.toS) {
      found.push(
        `task ${latest.number} on ${latest.node} lived until ${latest.toS} s, ` +
          `task ${life.number} on ${life.node} since ${life.fromS} s`,
      );
    }
    if (latest === undefined || life.toS > latest.toS) latest = life;
  }
  return found;
}

/**
 * Tasks that began before the last attempt of one that had been taken before they were submitted.
 */
function inversions(line: readonly InLine[]): string[] {
  const spans = line.map(({ submit, lives }) => {
    const ordered = lives.toSorted(compare);
    return { submit, first: ordered[0]!, last: ordered.at(-1)! };
  });
  const byLast = spans.toSorted((left, right) => compare(right.last, left.last));
  const found: string[] = [];
  // From the last one on: of those that began later, the one that was acknowledged first.
  let earliest: SubmitRecord | undefined;
  let next = 0;
  for (const { submit, first } of spans.toSorted((left, right) =>
    compare(right.first, left.first),
  )) {
    for (; next < byLast.length && isBefore(first, byLast[next]!.last); next++) {
      const { submit: later } = byLast[next]!;
      if (later.ackedMs === undefined) continue;
      if (earliest === undefined || later.ackedMs < earliest.ackedMs!) earliest = later;
    }
    if (earliest === undefined || earliest.ackedMs! >= submit.begunMs) continue;
    found.push(
      `task ${submit.number}, submitted after ${Math.round(submit.begunMs)} ms, began before ` +
        `task ${earliest.number} had ended, acknowledged after ${Math.round(earliest.ackedMs!)} ms`,
    );
  }
  return found;
}
