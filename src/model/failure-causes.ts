/**
 * The causes of a failure that `retryOn` and `noRetryOn` of a task name: an exit code, a signal, or
 * a word for what ended it. A cause is a text in one spelling, the one that is stored.
 */
import type { Outcome, OutcomeKind } from './attempt.ts';

/** What each word stands for. */
const causeWords: Readonly<Record<string, OutcomeKind>> = {
  timeout: 'timedOut',
  oom: 'outOfMemory',
  output: 'outputTooLarge',
  start: 'startFailed',
};

/** Signals by the names under which Linux tells that one ended a process. */
const signals: ReadonlySet<string> = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP ' +
    'TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  )
    .split(' ')
    .map(name => `SIG${name}`),
);

export const causeHelp = `an exit code from 1 to 255, a signal such as SIGTERM, or ${Object.keys(
  causeWords,
).join(', ')}`;

/** The stored spelling of a cause, or `undefined` for what is none. */
export function readCause(text: string): string | undefined {
  const word = text.trim();
  if (/^\d{1,3}$/.test(word)) {
    const code = Number(word);
    return code >= 1 && code <= 255 ? String(code) : undefined;
  }
  const lower = word.toLowerCase();
  if (Object.hasOwn(causeWords, lower)) return lower;
  const upper = word.toUpperCase();
  if (signals.has(upper)) return upper;
  return signals.has(`SIG${upper}`) ? `SIG${upper}` : undefined;
}

function isCause(cause: string, outcome: Outcome): boolean {
  if (Object.hasOwn(causeWords, cause)) return causeWords[cause] === outcome.kind;
  if (outcome.kind !== 'failed') return false;
  return outcome.signal === cause || String(outcome.exitCode) === cause;
}

/** Which failed runs are followed by another while runs are left; without any, all are. */
export interface RetryRule {
  /** Only these, where there are any. */
  readonly on: readonly string[];
  /** Never these. */
  readonly not: readonly string[];
}

/** Why a failed run is not followed by another, or `undefined` where it may be. */
export function whyNotRetried(rule: RetryRule, outcome: Outcome): string | undefined {
  const refused = rule.not.find(cause => isCause(cause, outcome));
  if (refused !== undefined) return `not run again: ${refused} is in noRetryOn`;
  if (rule.on.length === 0 || rule.on.some(cause => isCause(cause, outcome))) return undefined;
  return `not run again: none of ${rule.on.join(', ')}, which retryOn asks for`;
}
