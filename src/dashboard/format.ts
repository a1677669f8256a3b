/** Amounts and times as a person reads them. All times are milliseconds. */

/** `850 ms`, `1.2 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

/** `3 min 12 s ago`; whole seconds below ten, so that a list does not flicker. */
export function ago(atMs: number, nowMs: number): string {
  const age = nowMs - atMs;
  if (age < 1_000) return 'now';
  return age < 10_000 ? `${Math.floor(age / 1_000)} s ago` : `${span(age)} ago`;
}

/** `1.5 GiB`, in binary units. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let amount = Math.max(0, bytes);
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${amount >= 100 ? Math.round(amount) : Number(amount.toFixed(1))} ${units[unit]}`;
}

/** CPUs from thousandths: `2`, `0.5`, `0.25`. */
export const cpus = (milli: number): string =>
  String(Number((Math.max(0, milli) / 1_000).toFixed(2)));

/** Thin spaces between thousands: `1 234 567`. */
export const count = (value: number): string =>
  String(value).replaceAll(/\B(?=(\d{3})+$)/g, '\u2009');

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** `2026-11-21 08:05:09.123` in the time zone of whoever looks. */
export function instant(atMs: number): string {
  const at = new Date(atMs);
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return `${day} ${time}.${pad(at.getMilliseconds(), 3)}`;
}
