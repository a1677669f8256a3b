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

const durationMsMax = 100 * 366 * unitMs['d']!;

/**
 * Reads `10m`, `1h30m`, `250ms`, `2d`; a bare number is seconds. Returns `undefined` for anything
 * else, for fractions below a millisecond and for more than 100 years.
 */
export function parseDuration(text: string): DurationMs | undefined {
  const trimmed = text.trim();
  const withUnit = /^\d{1,12}$/.test(trimmed) ? `${trimmed}s` : trimmed;
  if (!/^(\d{1,15}(\.\d{1,3})?(ms|s|m|h|d|w))+$/.test(withUnit)) return undefined;
  let total = 0;
  for (const [, amount, unit] of withUnit.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    if (unit === 'ms' && !Number.isInteger(Number(amount))) return undefined;
    total += Number(amount) * unitMs[unit!]!;
  }
  const rounded = Math.round(total);
  return rounded <= durationMsMax ? rounded : undefined;
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
