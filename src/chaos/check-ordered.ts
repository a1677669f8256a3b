/**
 * Whether tasks of an order key ran one at a time, in the order of their submits: by what their
 * attempts say of themselves. Of two tasks whose submits were under way together either may be the
 * first; one that was acknowledged before the other was submitted has to end before that begins.
 */
import { type AttemptLife, byBegin, isBefore, overlapsOf } from './attempt-log.ts';
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

/** Attempts of two tasks that lived at once; those of one task are looked at by another check. */
const overlaps = (line: readonly InLine[]): string[] =>
  overlapsOf(line.flatMap(one => one.lives))
    .filter(([earlier, later]) => earlier.number !== later.number)
    .map(
      ([earlier, later]) =>
        `task ${earlier.number} on ${earlier.node} lived until ${earlier.toS} s, ` +
        `task ${later.number} on ${later.node} since ${later.fromS} s`,
    );

/**
 * Tasks that began before the last attempt of one that had been taken before they were submitted.
 */
function inversions(line: readonly InLine[]): string[] {
  const spans = line.map(({ submit, lives }) => {
    const ordered = lives.toSorted(byBegin);
    return { submit, first: ordered[0]!, last: ordered.at(-1)! };
  });
  const byLast = spans.toSorted((left, right) => byBegin(right.last, left.last));
  const found: string[] = [];
  // From the last one on: of those that began later, the one that was acknowledged first.
  let earliest: SubmitRecord | undefined;
  let next = 0;
  for (const { submit, first } of spans.toSorted((left, right) =>
    byBegin(right.first, left.first),
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
