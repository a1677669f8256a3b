/** The simulator has teeth: bugs that are put in on purpose are found within 300 seeds. */
import { expect, test } from 'vitest';
import { plantedBugs } from './planted-bugs.ts';
import { type RunResult, runSeed } from './run.ts';

const seedsMax = 300;

test.each(plantedBugs)('it is found that $name', { timeout: 120_000 }, async bug => {
  const takeOut = bug.patch?.() ?? (() => undefined);
  let found: RunResult | undefined;
  try {
    for (let seed = 1; seed <= seedsMax && found === undefined; seed++) {
      const result = await runSeed(seed, { plants: bug.plants });
      if (result.verdict !== 'ok') found = result;
    }
  } finally {
    takeOut();
  }
  expect(found?.verdict).toBe(bug.verdict);
  expect(found?.message).toMatch(bug.says);
});
