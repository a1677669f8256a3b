/** Waiting for a change of the registry to be seen here, so that what is answered shows it. */
import type { Clock } from '../ports/clock.ts';

/** This node's copy of the registry shows a change within this, as a rule. */
const shownMs = 2_000;
const lookMs = 20;

/** Waits until this node's copy of the registry shows a change, but not for ever. */
export async function untilShown(clock: Clock, shows: () => boolean): Promise<void> {
  const deadlineMs = clock.nowMs() + shownMs;
  while (clock.nowMs() < deadlineMs) {
    if (shows()) return;
    await new Promise<void>(resolve => clock.after(lookMs, resolve));
  }
}
