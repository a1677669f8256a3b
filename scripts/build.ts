/**
 * Compiles src/ and cli/ to dist/, and writes the command manifest that makes the CLI start fast.
 */
import { chmod, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bin, root, run } from './run.ts';

const entry = join(root, 'dist/cli/run.js');

export async function main(_argv: readonly string[]): Promise<number> {
  await rm(join(root, 'dist'), { recursive: true, force: true });
  const code = await run(bin('tsc'), ['-p', join(root, 'scripts/tsconfig.build.json')]);
  if (code !== 0) return code;
  await chmod(entry, 0o755);
  // What every command is, so that a start of the CLI need not load them all.
  return run(process.execPath, [join(root, 'dist/cli/manifest.js')]);
}

/** Whether dist/ is older than a source, or not there. */
export async function isStale(): Promise<boolean> {
  const builtMs = await stat(entry).then(
    found => found.mtimeMs,
    () => 0,
  );
  if (builtMs === 0) return true;
  const folders = ['src', 'cli'];
  for (const folder of folders) {
    const files = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const file of files) {
      if (!file.isFile()) continue;
      if ((await stat(join(file.parentPath, file.name))).mtimeMs > builtMs) return true;
    }
  }
  return false;
}
