/**
 * `npm run e2e [FILTER...]`: the end-to-end tests at full size, with the faults that take minutes:
 * five nodes, 2,000 tasks, kills, stops and cut networks. Some parts need root; they say so.
 */
import { main as build, isStale } from './build.ts';
import { printCount, runTests } from './test.ts';

export async function main(argv: readonly string[]): Promise<number> {
  if (await isStale()) {
    const code = await build([]);
    if (code !== 0) return code;
  }
  process.env['TSCHED_E2E'] = 'full';
  // One file at a time: each of them wants the whole machine.
  const filters = argv.length > 0 ? argv : ['test/e2e'];
  return printCount(await runTests(['--no-file-parallelism', ...filters]));
}
