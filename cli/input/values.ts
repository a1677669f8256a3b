/** Values of flags that are not part of a task: durations, counts, addresses. */
import { formatDuration, parseDuration } from '../../src/model/time.ts';
import { usageError } from '../cli-error.ts';

/** Milliseconds of `--flag text`; `undefined` where the flag was not given. */
export function readDuration(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw usageError(
    `--${flag} ${text} is not a duration`,
    `Write ${formatDuration(600_000)}, 90s, 1h30m; a bare number is seconds.`,
  );
}

export interface CountRange {
  readonly min: number;
  readonly max: number;
}

/** The whole number of `--flag text`. */
export function readCount(
  flag: string,
  text: string | undefined,
  range: CountRange,
): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= range.min && count <= range.max) return count;
  throw usageError(`--${flag} ${text} is not a whole number from ${range.min} to ${range.max}`);
}

/** `texts` as `NAME=VALUE` pairs, in order. */
export function readPairs(flag: string, texts: readonly string[] | undefined): [string, string][] {
  return (texts ?? []).map(text => {
    const split = text.indexOf('=');
    if (split < 1) throw usageError(`--${flag} ${text} is not NAME=VALUE`);
    return [text.slice(0, split), text.slice(split + 1)];
  });
}
