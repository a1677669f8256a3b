/** What the shard decides from of a task's spec, where somebody may have changed it since. */
import type { Backoff } from '../model/spec.ts';
import type { ShardState } from './state.ts';

/** Total number of runs. */
export const attemptsOf = ({ table, specs }: ShardState, row: number): number =>
  table.detail(row)?.update?.overrides.attempts ?? specs.traits(table.spec(row)).attempts;

export const backoffOf = ({ table, specs }: ShardState, row: number): Backoff =>
  table.detail(row)?.update?.overrides.backoff ?? specs.traits(table.spec(row)).backoff;
