/**
 * What starts the processes of attempts and learns how they ended. Two do: a small Perl process
 * beside the supervisor (`perl-starter.ts`), because forking costs by the size of what forks, and
 * the supervisor itself (`node-starter.ts`), where there is no Perl that can.
 */
import { constants } from 'node:os';
import type { StartFault } from './command.ts';

export type StarterKind = 'perl' | 'node';

export interface StartRequest {
  /** Path of what to execute; below `cwd` unless it is absolute. */
  readonly file: string;
  readonly argv: readonly string[];
  /** Nothing is added to it, nothing left out. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Directories of the control groups that the process is in before it executes anything. */
  readonly cgroups: readonly string[];
  /** Paths of the output files, appended to and made where they are missing. */
  readonly stdout: string;
  readonly stderr: string;
  /** Instant of CLOCK_BOOTTIME in ms from which on nothing is started any more. */
  readonly deadline: number;
}

/** How a process ended: what `wait` said. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/**
 * What became of a start: `started`, unless there never was a process, and last either `ended` or
 * `failed`. Each comes in a later turn of the event loop than the request.
 */
export interface StartEvents {
  /** There is a process, leader of its own session; it may fail to execute the command yet. */
  started(pid: number): void;
  failed(fault: StartFault | 'late'): void;
  ended(exit: Exit): void;
}

/**
 * What the kernel adds, of a thousandth of the machine's memory each, to what a process of an
 * attempt uses when it looks for one to end because memory ran out: a task before its node.
 */
export const oomScore = 500;

export interface Starter {
  /** For `node show`. */
  readonly words: string;
  /** Parent of what it starts. */
  readonly pid: number;
  start(request: StartRequest, events: StartEvents): void;
}

const signalNames = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals)) {
  // Two names have the same number for SIGABRT and SIGIO: the usual one is listed first.
  if (!signalNames.has(number)) signalNames.set(number, name);
}

/** What the status of `wait` says, as the kernel encodes it. */
export function exitOf(status: number): Exit {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff, signal: undefined };
  return { code: undefined, signal: signalNames.get(number) ?? `SIG${number}` };
}
