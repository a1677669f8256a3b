/** `npm start`: builds what is missing and runs the main job, a cluster of three nodes. */
import { join } from 'node:path';
import { main as build, isStale } from './build.ts';
import { root, run } from './run.ts';

export async function main(argv: readonly string[]): Promise<number> {
  if (await isStale()) {
    console.log('building');
    const code = await build([]);
    if (code !== 0) return code;
  }
  return run(process.execPath, [join(root, 'dist/cli/run.js'), 'dev', ...argv]);
}
