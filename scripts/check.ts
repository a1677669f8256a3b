/**
 * `npm run check`: everything that has to hold before a commit is shared: format and lint, types,
 * the tests (which build), and 500 seeds of the simulator. The last line counts; a step that fails
 * counts as one failed test.
 */

import { join } from 'node:path';
import { main as build, isStale } from './build.ts';
import { bin, root, run } from './run.ts';
import { type Count, printCount, runTests } from './test.ts';

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const steps: readonly Step[] = [
  { name: 'format and lint', command: bin('biome'), args: ['ci', '.'] },
  { name: 'types', command: bin('tsc'), args: ['--noEmit'] },
  { name: 'types of the page', command: bin('tsc'), args: ['-p', 'src/dashboard'] },
];

/** Seeds of the simulator, and events of each with faults, over two processes. */
const simulated = { seeds: 500, events: 20_000, processes: 2 };

/** Exit codes of the processes. */
function simulate(): Promise<number[]> {
  const { seeds, events, processes } = simulated;
  console.log(`\n${seeds} seeds of ${events} events`);
  const count = seeds / processes;
  return Promise.all(
    Array.from({ length: processes }, (_, at) =>
      run(process.execPath, [
        ...[join(root, 'scripts/sim.ts'), '--quiet', '--keep-going'],
        ...['--seed', String(1 + at * count), '--count', String(count)],
        ...['--events', String(events)],
      ]),
    ),
  );
}

/** With `--static`, the tests are left out: whoever calls has run them. */
export async function main(argv: readonly string[]): Promise<number> {
  let passed = 0;
  let failed = 0;
  for (const { name, command, args } of steps) {
    console.log(`\n${name}`);
    if ((await run(command, args)) === 0) passed++;
    else failed++;
  }
  console.log('\nbuild');
  if ((await isStale()) && (await build([])) !== 0) failed++;
  else passed++;
  let tests: Count = { passed: 0, failed: 0, skipped: 0 };
  if (!argv.includes('--static')) {
    tests = await runTests([]);
    for (const code of await simulate()) {
      if (code === 0) passed++;
      else failed++;
    }
  }
  return printCount({
    passed: passed + tests.passed,
    failed: failed + tests.failed,
    skipped: tests.skipped,
  });
}
