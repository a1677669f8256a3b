/** The pauses between runs, as a document gives them: the first one, or that and the longest. */
import type { Backoff } from './spec.ts';
import { addUnknownField, type ProblemList, pointerStep, readDuration } from './spec-reading.ts';
import { formatDuration } from './time.ts';

const dayMs = 86_400_000;
export const backoffDefault: Backoff = { initialMs: 1_000, maxMs: 60_000 };

export function readBackoff(
  problems: ProblemList,
  pointer: string,
  value: unknown,
): Backoff | undefined {
  const range = { min: 0, max: dayMs };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const initialMs = readDuration(problems, pointer, value, range);
    if (initialMs === undefined) return undefined;
    return { initialMs, maxMs: Math.max(initialMs, backoffDefault.maxMs) };
  }
  const given = value as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (name !== 'initial' && name !== 'max') {
      addUnknownField(problems, pointer, name, ['initial', 'max']);
    }
  }
  const part = (name: string, missing: number): number | undefined =>
    given[name] === undefined
      ? missing
      : readDuration(problems, pointer + pointerStep(name), given[name], range);
  const initialMs = part('initial', backoffDefault.initialMs);
  if (initialMs === undefined) return undefined;
  const maxMs = part('max', Math.max(initialMs, backoffDefault.maxMs));
  if (maxMs === undefined) return undefined;
  if (maxMs < initialMs) {
    return problems.add(
      `${pointer}/max`,
      `${formatDuration(maxMs)} is below the first pause of ${formatDuration(initialMs)}`,
    );
  }
  return { initialMs, maxMs };
}
