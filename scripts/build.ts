/**
 * Compiles src/ and cli/ to dist/, puts the page of the node beside its gateway and the scenarios
 * beside their engine, and writes the command manifest that makes the CLI start fast.
 */
import { chmod, copyFile, cp, readdir, rm, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { bin, root, run } from './run.ts';

const entry = join(root, 'dist/cli/run.js');

export async function main(_argv: readonly string[]): Promise<number> {
  await rm(join(root, 'dist'), { recursive: true, force: true });
  const code = await run(bin('tsc'), ['-p', join(root, 'scripts/tsconfig.build.json')]);
  if (code !== 0) return code;
  const pageCode = await buildPage(join(root, 'dist'));
  if (pageCode !== 0) return pageCode;
  // Data that is read beside the code that reads it.
  await cp(join(root, 'src/chaos/scenarios'), join(root, 'dist/src/chaos/scenarios'), {
    recursive: true,
  });
  await chmod(entry, 0o755);
  // What every command is, so that a start of the CLI need not load them all.
  return run(process.execPath, [join(root, 'dist/cli/manifest.js')]);
}

/** Makes `src/dashboard` below `outDir`: modules compiled for a browser, the rest copied. */
export async function buildPage(outDir: string): Promise<number> {
  const from = join(root, 'src/dashboard');
  const code = await run(bin('tsc'), ['-p', from, '--noEmit', 'false', '--outDir', outDir]);
  if (code !== 0) return code;
  for (const name of await readdir(from)) {
    if (!['.html', '.css', '.svg'].includes(extname(name))) continue;
    await copyFile(join(from, name), join(outDir, 'src/dashboard', name));
  }
  return 0;
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
