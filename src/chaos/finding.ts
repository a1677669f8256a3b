/** What a check is given and what it says. */
import type { AttemptLife } from './attempt-log.ts';
import type { History } from './history.ts';
import type { CheckBounds } from './scenario.ts';

export interface Finding {
  readonly cases: readonly string[];
  /** How much was looked at; none at all is a failure. */
  readonly looked: number;
  readonly what: string;
}

export interface Seen {
  readonly history: History;
  readonly bounds: CheckBounds;
  readonly lives: ReadonlyMap<number, readonly AttemptLife[]>;
}

/** Whether the run has moved clocks: then what they say of real time proves nothing. */
export const clocksMoved = ({ faults }: History): boolean =>
  faults.some(({ kind }) => kind === 'clockJump');

/** `1 task`, `2 tasks` */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
