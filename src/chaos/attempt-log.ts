/**
 * What attempts say of themselves: the program that every task of a run executes, and the reading
 * of the one file into which all of them write. It is outside of the cluster and knows only the
 * machine's monotonic clock, so overlaps are told whatever the cluster believes.
 */
import type { AttemptLine } from './history.ts';

/**
 * `$1` file, `$2` number of the task, below zero that of a schedule, `$3` half seconds to last,
 * `$4` turns of work.
 */
export const taskProgram = `#!/bin/sh
log=$1 number=$2 halves=$3 turns=$4
say() {
  read -r up rest </proc/uptime
  echo "$1 $number $TSCHED_TASK_ID $TSCHED_FENCE $up $TSCHED_NODE" >>"$log"
}
say start
while [ "$turns" -gt 0 ]; do turns=$((turns - 1)); done
while [ "$halves" -gt 0 ]; do sleep 0.5; say alive; halves=$((halves - 1)); done
say end
# Where the log cannot be reached the task is done all the same.
exit 0
`;

/**
 * Lines that were cut short, by a full disk say, are left out. `boot NUMBER SECONDS` begins those
 * of a boot of a guest, whose clock began at that time of the machine's: its lines are told in the
 * machine's.
 */
export function readAttemptLog(text: string): AttemptLine[] {
  let boot = 0;
  let bootS = 0;
  return text.split('\n').flatMap(line => {
    const [what, number, id, fence, upS, node, more] = line.split(' ');
    if (what === 'boot') [boot, bootS] = [Number(number), Number(id)];
    if (what !== 'start' && what !== 'alive' && what !== 'end') return [];
    if (node === undefined || id === undefined || more !== undefined) return [];
    const times = { upS: Number(upS) + bootS, boot };
    return [{ what, number: Number(number), id, fence: Number(fence), ...times, node }];
  });
}

/** Firings of schedules share the text of their task: each is given a number of its own here. */
export function numberFirings(lines: readonly AttemptLine[], firstNumber: number): AttemptLine[] {
  const numbers = new Map<string, number>();
  return lines.map(line => {
    if (line.number > 0) return line;
    const number = numbers.get(line.id) ?? firstNumber + numbers.size;
    numbers.set(line.id, number);
    return { ...line, number };
  });
}

/** One attempt, from its first to its last sign of life. */
export interface AttemptLife {
  readonly id: string;
  readonly number: number;
  readonly fence: number;
  readonly node: string;
  readonly fromS: number;
  readonly toS: number;
  /** Boots that it has left traces in: one, as nothing outlives a boot. */
  readonly boots: readonly number[];
  readonly starts: number;
  readonly ended: boolean;
}

/** Whether one began first; what began in a later boot began later, however clocks were told. */
export const isBefore = (left: AttemptLife, right: AttemptLife): boolean =>
  left.boots[0] === right.boots[0] ? left.fromS < right.fromS : left.boots[0]! < right.boots[0]!;

/** The same as an order to sort by. */
export const byBegin = (left: AttemptLife, right: AttemptLife): number =>
  isBefore(left, right) ? -1 : isBefore(right, left) ? 1 : 0;

/** Each that began while another one lived, behind the one of those that lived longest. */
export function overlapsOf(
  lives: readonly AttemptLife[],
): (readonly [earlier: AttemptLife, later: AttemptLife])[] {
  const found: (readonly [AttemptLife, AttemptLife])[] = [];
  let latest: AttemptLife | undefined;
  for (const life of lives.toSorted(byBegin)) {
    if (latest?.boots.at(-1) !== life.boots[0]) latest = undefined;
    if (latest !== undefined && life.fromS < latest.toS) found.push([latest, life]);
    if (latest === undefined || life.toS > latest.toS) latest = life;
  }
  return found;
}

/** Lives by the number of the task; those of one task in the order of their fences. */
export function livesOf(lines: readonly AttemptLine[]): Map<number, AttemptLife[]> {
  const byKey = new Map<string, AttemptLife>();
  for (const { what, number, id, fence, upS, boot, node } of lines) {
    const key = `${number} ${id} ${fence}`;
    const life = byKey.get(key);
    byKey.set(key, {
      ...{ id, number, fence, node: life?.node ?? node },
      fromS: Math.min(life?.fromS ?? upS, upS),
      toS: Math.max(life?.toS ?? upS, upS),
      boots: [...new Set([...(life?.boots ?? []), boot])],
      starts: (life?.starts ?? 0) + (what === 'start' ? 1 : 0),
      ended: life?.ended === true || what === 'end',
    });
  }
  const byNumber = new Map<number, AttemptLife[]>();
  for (const life of byKey.values()) {
    byNumber.set(life.number, [...(byNumber.get(life.number) ?? []), life]);
  }
  for (const lives of byNumber.values()) lives.sort((left, right) => left.fence - right.fence);
  return byNumber;
}
