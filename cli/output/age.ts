/** Times as a person reads them: spans of two units at most, ages in the past. */
import { formatInstant } from '../../src/model/instant.ts';

/** `850ms`, `1.2s`, `3m12s`, `2h5m`, `3d4h`. */
export function span(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < 1_000) return `${ms}ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'm', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'm');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;

/**
 * What is to come, rounded up to the next second, so that half an hour is half an hour when it is
 * told a moment later.
 */
function upwards(ms: number): number {
  const unit = ms < 10_000 ? 100 : 1_000;
  return Math.ceil(ms / unit) * unit;
}

/** `3m12s ago`, `now`, `in 5s` (the clocks of two machines differ). */
export function ago(atMs: number, nowMs: number): string {
  const age = nowMs - atMs;
  if (age < -1_000) return `in ${span(upwards(-age))}`;
  return age < 1_000 ? 'now' : `${span(age)} ago`;
}

/** `2027-03-28T03:00:00+02:00`, as clocks in the zone show it; with a `Z` where that is UTC. */
export function instantIn(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /^GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  if (sign === undefined || offset === 0) return formatInstant(ms);
  return formatInstant(ms + offset * 60_000).replace('Z', `${sign}${hours}:${minutes}`);
}

/** `14:32:10 UTC, in 30m`; with the date where that is not today. */
export function boundText(atMs: number, nowMs: number): string {
  const instant = new Date(atMs).toISOString();
  const isToday = instant.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  const shown = instant.slice(isToday ? 11 : 0, 19).replace('T', ' ');
  return `${shown} UTC, ${ago(atMs, nowMs)}`;
}
