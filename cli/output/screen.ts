/**
 * Where output goes: whether it is a terminal, how wide, whether in colour, and what time it is.
 */

export interface Screen {
  readonly tty: boolean;
  readonly color: boolean;
  readonly columns: number;
  /** Relative times are told from this instant. */
  readonly nowMs: number;
}

/** Output of a pipe: no colour, no cutting. */
export const plainScreen = (nowMs: number): Screen => ({
  tty: false,
  color: false,
  columns: Number.POSITIVE_INFINITY,
  nowMs,
});

/** `NO_COLOR` of any value and `--no-color` turn colour off; a pipe never gets any. */
export function makeScreen(
  stream: NodeJS.WriteStream,
  options: { readonly noColor?: boolean | undefined } = {},
): Screen {
  const tty = stream.isTTY === true;
  const refused = options.noColor === true || (process.env['NO_COLOR'] ?? '') !== '';
  return {
    tty,
    color: tty && !refused && process.env['TERM'] !== 'dumb',
    columns: tty ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY,
    nowMs: Date.now(),
  };
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
export type Paint = keyof typeof codes;

export const paint = (screen: Screen, style: Paint, text: string): string =>
  screen.color && text !== '' ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;
