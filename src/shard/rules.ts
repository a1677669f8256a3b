/**
 * By which rules a shard decides. What a kind of command does never changes, or replicas of two
 * programs would differ; so what does change is adopted by a command of its own (`adopt`), which a
 * leader proposes once every node of the cluster reads it. The rules are those of that cluster
 * version, and are kept in the meta row.
 */

/** Before anything was adopted. */
export const firstRules = 1;

/**
 * Failed tasks are dead letters, poison is failed, supervisors that end count, pauses are spread, a
 * start that is late tells by itself that its bound was missed, and an attempt that was lost before
 * its start leaves the bound as it is.
 */
export const failureRules = 3;

/** The newest that this program decides by. */
export const newestRules: number = failureRules;
