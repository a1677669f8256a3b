/**
 * `npm test [FILTER...]`: builds what the end-to-end tests run, then all tests; the last line
 * counts them. Exit code 1 where one failed or none ran.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main as build, isStale } from './build.ts';
import { bin, root, run } from './run.ts';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly status: string; readonly name: string }[];
}

export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Runs vitest on the tests that the filters name, or on all. */
export async function runTests(filters: readonly string[]): Promise<Count> {
  const folder = await mkdtemp(join(tmpdir(), 'tsched-test-'));
  const file = join(folder, 'report.json');
  try {
    await run(bin('vitest'), [
      ...['run', '--config', join(root, 'test/vitest.config.ts')],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...filters],
    ]);
    const report = JSON.parse(await readFile(file, 'utf8')) as Report;
    // A file that could not even be loaded has no tests to count.
    const broken = report.testResults.filter(
      result => result.status === 'failed' && report.numFailedTests === 0,
    ).length;
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + broken,
      skipped: report.numPendingTests,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function printCount(count: Count): number {
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  return count.failed > 0 || count.passed === 0 ? 1 : 0;
}

export async function main(argv: readonly string[]): Promise<number> {
  if (await isStale()) {
    const code = await build([]);
    if (code !== 0) return code;
  }
  return printCount(await runTests(argv));
}
