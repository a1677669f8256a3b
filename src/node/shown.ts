/** Waiting until this node's copy of the registry shows a change that was accepted. */
import type { NodeContext } from './context.ts';

/** It does within this, as a rule. */
const shownMs = 2_000;
const lookMs = 20;

/** Resolves once `shows`, or when that takes too long: the change is made in any case. */
export async function untilShown(
  { clock }: Pick<NodeContext, 'clock'>,
  shows: () => boolean,
): Promise<void> {
  const deadlineMs = clock.nowMs() + shownMs;
  while (!shows() && clock.nowMs() < deadlineMs) {
    await new Promise<void>(resolve => clock.after(lookMs, resolve));
  }
}
