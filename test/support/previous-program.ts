/**
 * The program of the cluster version before this one, built from the history of this repository:
 * what an upgrade starts from. `test/compat/programs.json` names the newest commit of each version.
 */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = new URL('../..', import.meta.url).pathname;
const buildMs = 300_000;
const execute = promisify(execFile);

export interface EarlierProgram {
  readonly clusterVersion: number;
  readonly version: string;
  readonly commit: string;
}

export const earlierPrograms = JSON.parse(
  readFileSync(new URL('../compat/programs.json', import.meta.url), 'utf8'),
) as readonly EarlierProgram[];

/** Why a program cannot be built here; `undefined` where it can. */
export function whyMissing({ commit }: EarlierProgram): string | undefined {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root, stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: Buffer };
    return `commit ${commit} is not there: ${(stderr?.toString() || message).trim()}`;
  }
}

/** Builds a program in a directory of its own, with the packages of this checkout. */
export async function buildProgram({
  commit,
}: EarlierProgram): Promise<{ readonly entry: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'tsched-earlier-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const archive = join(dir, 'source.tar');
    await execute('git', ['archive', '--format=tar', '-o', archive, commit], { cwd: root });
    await execute('tar', ['xf', archive, '-C', dir]);
    await rm(archive);
    await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
    // Its own build script, not through npm: that would install its packages anew.
    await execute(process.execPath, [join(dir, 'scripts/main.ts'), 'build'], {
      cwd: dir,
      timeout: buildMs,
    });
    return { entry: join(dir, 'dist/cli/run.js'), remove };
  } catch (error) {
    await remove();
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(
      `the program of ${commit} cannot be built: ${String(error)}${stdout}${stderr}`,
      {
        cause: error,
      },
    );
  }
}
