/** How it is told that a task had not started by its start bound: once, by whichever command. */
import { failureRules } from './rules.ts';
import type { Turn } from './turn.ts';

/** Of a task that waits for its start, and of which it was not told before. */
export function tellMissedBound({ state, effects }: Turn, row: number): void {
  state.missBound(row);
  effects.push({ kind: 'boundMissed', taskId: state.table.id(row) });
}

/**
 * A first start became known, by itself or with the end of the attempt. One after the bound is told
 * here where nobody has looked since: the leader was away, or looks a moment later. It has to be
 * late by state time, too, as the clock of a node may be wrong.
 */
export function lookAtStart(turn: Turn, row: number, startedAtMs: number): void {
  const { state } = turn;
  if (state.rules < failureRules) return;
  if (!state.due.hasBound(row) || state.table.hasMissedBound(row)) return;
  const boundMs = state.due.boundMs(row);
  if (startedAtMs > boundMs && state.nowMs >= boundMs) tellMissedBound(turn, row);
}
