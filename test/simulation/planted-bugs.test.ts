/** The simulator has teeth: bugs that are put in on purpose are found within 300 seeds. */
import { expect, test } from 'vitest';
import { plantedBugs } from './planted-bugs.ts';
import { type RunResult, runSeed } from './run.ts';

const seeds = Array.from({ length: 300 }, (_, at) => at + 1);

test.each(plantedBugs)('it is found that $name', { timeout: 120_000 }, async bug => {
  const takeOut = bug.patch?.() ?? (() => undefined);
  let found: RunResult | undefined;
  try {
    for (const seed of [bug.seed, ...seeds]) {
      const result = await runSeed(seed, { plants: bug.plants, options: bug.options });
      if (result.verdict === 'ok') continue;
      found = result;
      break;
    }
  } finally {
    takeOut();
  }
  expect(found?.message).toMatch(bug.says);
});
