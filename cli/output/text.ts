/**
 * Text that came from outside (names, commands, tails of output) made fit to print: a task must not
 * be able to move the cursor, retitle the window or forge a line of a table.
 */
import type { Screen } from './screen.ts';

/** CSI, OSC (ended by BEL or ST), other escape sequences, in 7-bit and 8-bit form. */
const escapes =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]|\u009b[0-?]*[ -/]*[@-~]/g;
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** One line without control characters, for a cell of a table. */
export const oneLine = (text: string): string =>
  text
    .replaceAll(escapes, '')
    .replaceAll(/\s*\r?\n\s*/g, ' ⏎ ')
    .replaceAll(/\t/g, ' ')
    .replaceAll(controls, '�');

/** Several lines; escapes are kept only where the output is not a terminal. */
export const block = (text: string, screen: Screen): string =>
  screen.tty
    ? text.replaceAll(escapes, '').replaceAll(/\r\n?/g, '\n').replaceAll(controls, '�')
    : text;

/** At most `width` characters, with an ellipsis where some are missing. */
export const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
