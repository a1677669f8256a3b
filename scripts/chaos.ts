/**
 * `npm run chaos [SCENARIO...]`: runs scenarios that ship with the program, each as a person would,
 * one after the other, and ends with a table. All of them but `random` unless some are named: that
 * one is for `tsched chaos run random --duration 10m`. Reports go to `chaos-report/SCENARIO`.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shippedScenarios } from '../src/chaos/main.ts';
import type { Report } from '../src/chaos/report.ts';
import { main as build, isStale } from './build.ts';
import { root, run } from './run.ts';

const verdicts = new Map([
  [0, 'green'],
  [1, 'RED'],
  [9, 'skipped'],
]);

export async function main(argv: readonly string[]): Promise<number> {
  if (await isStale()) {
    const code = await build([]);
    if (code !== 0) return code;
  }
  const known = (await shippedScenarios()).map(one => one.name);
  const unknown = argv.find(name => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`error: there is no scenario ${unknown}; there are ${known.join(', ')}`);
    return 2;
  }
  const rows: { scenario: string; verdict: string; says: string }[] = [];
  for (const scenario of argv.length > 0 ? argv : known.filter(name => name !== 'random')) {
    const dir = join(root, 'chaos-report', scenario);
    const args = [join(root, 'dist/cli/run.js'), 'chaos', 'run', scenario, '--report', dir];
    const code = await run(process.execPath, args);
    const verdict = verdicts.get(code) ?? `ended with ${code}`;
    rows.push({ scenario, verdict, says: verdicts.has(code) ? await headlineIn(dir) : '' });
    if (code === 130) break;
  }
  console.log('');
  for (const { scenario, verdict, says } of rows) {
    console.log(`${verdict.padEnd(8)} ${scenario.padEnd(18)} ${says}`);
  }
  // What was skipped is told; it is no failure of the program.
  return rows.every(row => row.verdict === 'green' || row.verdict === 'skipped') ? 0 : 1;
}

async function headlineIn(dir: string): Promise<string> {
  try {
    const report = JSON.parse(await readFile(join(dir, 'report.json'), 'utf8')) as Report;
    return report.headline;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return 'it could not be run: see above';
  }
}
