/**
 * Works for a second, drops what that left, and says once that memory has been given back. Ends
 * after some seconds without it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { giveBackWhenQuiet } from '../../cli/quiet-memory.ts';

const workMs = 1_000;
const patienceMs = 10_000;
const leastBytes = 50 * 2 ** 20;

/** Objects that live long enough to be old when they die. */
function work(): number {
  const kept: { readonly at: number; readonly texts: readonly string[] }[] = [];
  const untilMs = performance.now() + workMs;
  while (performance.now() < untilMs || kept.length < 500_000) {
    kept.push({ at: kept.length, texts: [`${kept.length}`] });
  }
  return kept.length;
}

giveBackWhenQuiet(200);
const objects = work();
const before = process.memoryUsage.rss();
const untilMs = performance.now() + patienceMs;
while (performance.now() < untilMs) {
  await delay(50);
  const given = before - process.memoryUsage.rss();
  if (given < leastBytes) continue;
  process.stdout.write(`gave back memory of ${objects} objects\n`);
  process.exit(0);
}
process.exit(1);
