/**
 * What a task that waits for others waits for: `success` of all of them, the `failure` of at least
 * one, or that all have settled. Append-only: the number on disk is the position.
 */
export const whens = ['success', 'failure', 'always'] as const;
export type When = (typeof whens)[number];

/**
 * How a parent ended, as far as its children care. `skipped`: it was not needed, because its own
 * condition did not come true; that is no failure. `unknown`: nobody knows it any more. `refused`:
 * too many tasks wait for it. Append-only.
 */
export const parentEnds = ['succeeded', 'failed', 'skipped', 'unknown', 'refused'] as const;
export type ParentEnd = (typeof parentEnds)[number];
