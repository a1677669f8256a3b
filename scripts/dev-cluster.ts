/** `npm run dev-cluster`: `tsched dev` straight from the sources, for working on them. */
import { join } from 'node:path';
import { root, run } from './run.ts';

export async function main(argv: readonly string[]): Promise<number> {
  return run(process.execPath, [join(root, 'cli/run.ts'), 'dev', ...argv]);
}
