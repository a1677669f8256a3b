/**
 * The one kind of error a command ends with: a code of the error table, a sentence that names what
 * was wrong, and what to do. Everything that is thrown elsewhere is turned into one by
 * `toCliError`.
 */
import { type ErrorCode, errorTable, isErrorCode } from '../src/model/errors.ts';
import { closestName } from '../src/model/spec-fields.ts';

/** One thing that is wrong with the input: where, and what. */
export interface PlacedProblem {
  /** A flag, `file:line:column`, or a JSON pointer. */
  readonly place: string;
  readonly message: string;
  readonly pointer?: string | undefined;
  /** The line of the file and a caret under the place. */
  readonly excerpt?: string | undefined;
}

export interface CliErrorOptions {
  readonly title?: string | undefined;
  readonly suggestion?: string | undefined;
  readonly problems?: readonly PlacedProblem[] | undefined;
  /** IDs that the request was about, where repeating it needs them. */
  readonly ids?: readonly string[] | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly field?: string | undefined;
  readonly cause?: unknown;
}

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: ErrorCode;
  readonly title: string;
  /** The sentence by itself: oclif rewrites `message` of what a flag's parser throws. */
  readonly sentence: string;
  readonly suggestion: string;
  readonly problems: readonly PlacedProblem[];
  readonly ids: readonly string[];
  readonly retryAfterMs: number | undefined;
  readonly field: string | undefined;

  constructor(code: ErrorCode, sentence: string, options: CliErrorOptions = {}) {
    super(sentence, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.sentence = sentence;
    this.title = options.title ?? errorTable[code].title;
    this.suggestion = options.suggestion ?? errorTable[code].suggestion;
    this.problems = options.problems ?? [];
    this.ids = options.ids ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.field = options.field;
  }

  get exit(): number {
    return errorTable[this.code].exit;
  }
}

export const isCliError = (error: unknown): error is CliError => error instanceof CliError;

/** A mistake on the command line: exit code 2. */
export const usageError = (sentence: string, suggestion = '`--help` tells more.'): CliError =>
  new CliError('badRequest', sentence, { title: 'Wrong usage', suggestion });

interface ParseError extends Error {
  readonly flags?: readonly string[];
  readonly parse?: { readonly input?: { readonly flags?: Record<string, unknown> } };
}

/**
 * oclif's `--help` footer and the indentation of its lists, folded into one line. Its note on flags
 * with several values, which it adds wherever there is one, has nothing to do with what is missing.
 */
function parseSentence(message: string): string {
  const text = message.replace(/\n?See more help with --help/g, '').trim();
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replace(/^The following errors? occurred: /, '')
    .replace(/ Note: --.* allow multiple values\..*$/, '')
    .replace(/\u001b\[\d+m/g, '');
}

function unknownFlag(error: ParseError, command: string): CliError {
  const flag = error.flags![0]!;
  const known = Object.keys(error.parse?.input?.flags ?? {});
  const close = closestName(flag.split('=', 1)[0]!.replace(/^-+/, ''), known);
  const meant = close === undefined ? '' : `--${close}; `;
  const hint = command === 'submit' ? '; what belongs to the program stands after `--`' : '';
  return new CliError('badRequest', `\`${flag}\`${hint}`, {
    title: 'Unknown flag',
    suggestion: `${meant}\`tsched ${command} --help\` lists the flags`,
  });
}

const systemTitles: Readonly<Record<string, readonly [title: string, suggestion: string]>> = {
  EADDRINUSE: ['The address is in use', 'Give another address, or stop what listens there.'],
  EADDRNOTAVAIL: ['This machine does not have the address', 'Give one that it has.'],
  EACCES: ['Permission denied', 'Look at the owner and the mode of what the message names.'],
  EPERM: ['Permission denied', 'Look at the owner and the mode of what the message names.'],
  ENOENT: ['No such file or directory', 'Look at the path that the message names.'],
  ENOSPC: ['The disk is full', 'Make room, then start again.'],
  EROFS: ['The file system is read-only', 'Give a directory that can be written.'],
};

/** What the operating system refused is not a bug: exit code 1, with its own words. */
function systemError(error: Error, code: string): CliError {
  const [title, suggestion] = systemTitles[code] ?? ['The system refused', ''];
  return new CliError('internal', error.message, { title, suggestion, cause: error });
}

/** Turns anything thrown into a `CliError`. `command` is the words after `tsched`. */
export function toCliError(error: unknown, command = ''): CliError {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error)) return new CliError('internal', String(error));
  const kind = error.constructor.name;
  if (kind === 'NonExistentFlagsError') return unknownFlag(error, command);
  const code: unknown = 'code' in error ? error.code : undefined;
  if (error.name === 'TschedError' && typeof code === 'string' && isErrorCode(code)) {
    return new CliError(code, error.message, { cause: error });
  }
  if ('syscall' in error && typeof code === 'string') return systemError(error, code);
  if ('oclif' in error || 'parse' in error) {
    return new CliError('badRequest', parseSentence(error.message), {
      title: 'Wrong usage',
      suggestion: `\`tsched${command === '' ? '' : ` ${command}`} --help\``,
    });
  }
  return new CliError('internal', error.message, { cause: error });
}
