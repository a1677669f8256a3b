/**
 * What a node does that is told by others that its store forgot what it acknowledged (`LogLost`):
 * it writes that down and ends. Nothing in the store itself shows it, so the note stands for the
 * damage: from then on a start refuses the store, `doctor` calls it damaged, and a rebuild puts it
 * aside and comes back as a learner (DESIGN 6).
 */
import { TschedError } from '../model/errors.ts';
import { LogLost } from '../raft/fatal.ts';
import type { DataDir } from './data-dir.ts';

export const lostLogFile = 'lost.json';
const whyCharactersMax = 1_000;

/** Why the store is not to be used any more, or `undefined`. */
export async function readLostLog(dir: DataDir): Promise<string | undefined> {
  const text = await dir.readText(lostLogFile);
  if (text === undefined) return undefined;
  try {
    const { why } = JSON.parse(text) as { why?: unknown };
    return String(why).slice(0, whyCharactersMax);
  } catch {
    // Whatever it says: somebody wrote it down.
    return `${lostLogFile} cannot be read`;
  }
}

/** The fault that a start or a running node comes to; `undefined` for any other error. */
export async function noteLostLog(
  dir: DataDir,
  error: unknown,
  atMs: number,
): Promise<TschedError | undefined> {
  if (!(error instanceof LogLost)) return undefined;
  const note = { version: 1, atMs, why: error.message };
  await dir.write(lostLogFile, `${JSON.stringify(note)}\n`, 0o600);
  return lostLogFault(dir, error.message, error);
}

export const lostLogFault = (dir: DataDir, why: string, cause?: Error): TschedError =>
  new TschedError(
    'storageFault',
    `the store in ${dir.path} forgot what it had acknowledged: ${why}.`,
    { directory: dir.path },
    cause,
  );
