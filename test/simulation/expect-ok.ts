/** Runs a seed for a test; a failure shows the newest events and how to repeat it. */
import { type RunExtras, type RunResult, runSeed } from './run.ts';

export async function expectOk(
  seed: number,
  extras: Pick<RunExtras, 'events' | 'in'> = {},
): Promise<RunResult> {
  const result = await runSeed(seed, extras);
  if (result.verdict === 'ok') return result;
  const length = extras.events === undefined ? '' : ` --events ${extras.events}`;
  const where = extras.in === undefined ? '' : ` --in ${extras.in}`;
  throw new Error(
    [
      `seed ${seed}: ${result.verdict}: ${result.message}`,
      ...result.last.slice(-60),
      ...result.state,
      `repeat it with: npm run sim -- --seed ${seed}${length}${where} --verbose`,
    ].join('\n'),
  );
}

/** Adds what a run has covered to `total`. */
export function addCoverage(total: Map<string, number>, result: RunResult): void {
  for (const [what, count] of result.coverage) total.set(what, (total.get(what) ?? 0) + count);
}
