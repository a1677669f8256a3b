/** What is started for a run is to end with it, also where the run is killed with -9. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** In front of a command, so that it is killed as soon as this process is gone. */
export async function deathGuard(): Promise<string[]> {
  const guard = ['setpriv', '--pdeathsig', 'KILL'];
  try {
    await run(guard[0]!, [...guard.slice(1), 'true']);
    return guard;
  } catch {
    // An older util-linux, or none: then only what ends in order cleans up.
    return [];
  }
}
