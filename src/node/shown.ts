/**
 * Waiting until this node's copy of the registry shows a change that the registry's leader made.
 */
import type { Clock } from '../ports/clock.ts';

/** As a rule it does within this. */
const shownMs = 2_000;
const lookMs = 20;

/** What `look` finds, once it finds something; `undefined` where it does not in time. */
export async function shown<T>(clock: Clock, look: () => T | undefined): Promise<T | undefined> {
  const deadlineMs = clock.nowMs() + shownMs;
  for (;;) {
    const found = look();
    if (found !== undefined || clock.nowMs() >= deadlineMs) return found;
    await new Promise<void>(resolve => clock.after(lookMs, resolve));
  }
}
