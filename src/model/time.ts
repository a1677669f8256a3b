/**
 * Durations and instants. There is no way to read a clock here: time enters the pure rooms as data.
 */

/** Milliseconds. */
export type DurationMs = number;

const unitMs: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads `10m`, `1h30m`, `250ms`, `2d`; a bare number is seconds. Returns `undefined` for anything
 * else, for fractions below a millisecond and for more than 100 years.
 */
export function parseDuration(text: string): DurationMs | undefined {
  const trimmed = text.trim();
  if (/^\d{1,12}$/.test(trimmed)) return Number(trimmed) * 1_000;
  if (!/^(\d{1,15}(\.\d{1,3})?(ms|s|m|h|d|w))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * unitMs[unit!]!;
  }
  const rounded = Math.round(total);
  return rounded <= 100 * 366 * unitMs['d']! ? rounded : undefined;
}

/** Shortest exact form: `1h30m`, `250ms`, `0s`. */
export function formatDuration(durationMs: DurationMs): string {
  let left = Math.max(0, Math.round(durationMs));
  if (left === 0) return '0s';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = unitMs[unit]!;
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${unit}`;
    left -= count * size;
  }
  return text;
}
