/** The second half of the hundred seeds, in a file of its own so that two cores share them. */
import { expect, test } from 'vitest';
import { expectOk } from './expect-ok.ts';

test('whole clusters under faults keep every promise with seeds 51 to 100', {
  timeout: 240_000,
}, async () => {
  let acknowledged = 0;
  for (let seed = 51; seed <= 100; seed++) acknowledged += (await expectOk(seed)).acknowledged;
  expect(acknowledged).toBeGreaterThan(1_000);
});
