/**
 * The exit codes of DESIGN section 2, for the help of the commands that have more than 0, 1 and 2.
 */

export const exitCodes = {
  0: 'ok',
  1: 'error',
  2: 'wrong usage or input',
  3: 'the waited-for task failed',
  4: 'it was cancelled or aborted',
  5: 'the wait timed out',
  6: 'no quorum, or no node could be reached',
  7: 'refused: rate, quota, or no node can ever run it',
  8: 'outcome unknown: repeating with the same ID is safe',
  9: 'skipped: this machine cannot do it',
  74: 'storage fault of the node',
} as const;

export type ExitCode = keyof typeof exitCodes;

/** The paragraph of a command's help that lists its exit codes. */
export function exitCodeText(codes: readonly ExitCode[]): string {
  return `Exit codes: ${codes.map(code => `${code} ${exitCodes[code]}`).join(' · ')}.`;
}
