/** What is decided from of a task: the traits of its spec, or what somebody made of them since. */
import type { SpecTable } from './spec-table.ts';
import type { TaskTable } from './task-table.ts';
import type { Traits } from './traits.ts';

export const traitsOf = (table: TaskTable, specs: SpecTable, row: number): Traits =>
  table.detail(row)?.changedTraits ?? specs.traits(table.spec(row));
