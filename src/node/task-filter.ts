/** Whether a task is one that was asked for, and where in the order of IDs such tasks lie. */
import { formatTaskId, type TaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { TaskFilter } from '../ports/history.ts';
import type { TaskRecord } from '../shard/record.ts';

const instantMax = 2 ** 48 - 1;

/** The first ID of an instant: none of an earlier one is above it. */
const firstIdAt = (atMs: number): TaskId =>
  formatTaskId({ atMs: Math.max(0, Math.min(Math.floor(atMs), instantMax)), slot: 0, random: 0 });

/** Bounds of the IDs of what was submitted within the filter's time: `from` is in, `to` is not. */
export function idsOf({ sinceMs, untilMs }: TaskFilter): {
  readonly from?: TaskId | undefined;
  readonly to?: TaskId | undefined;
} {
  return {
    from: sinceMs === undefined ? undefined : firstIdAt(sinceMs),
    to: untilMs === undefined ? undefined : firstIdAt(untilMs),
  };
}

/** Whether a task settled within the filter's time; one that has not is in no such time. */
function settledThen({ settledSinceMs, settledUntilMs }: TaskFilter, atMs?: number): boolean {
  if (settledSinceMs === undefined && settledUntilMs === undefined) return true;
  return (
    atMs !== undefined &&
    atMs >= (settledSinceMs ?? atMs) &&
    (settledUntilMs === undefined || atMs < settledUntilMs)
  );
}

/** `specOf` is asked only where the record alone does not decide. The time of IDs is `idsOf`. */
export function matches(
  filter: TaskFilter,
  record: Pick<TaskRecord, 'state' | 'tenant' | 'settledAtMs'>,
  specOf: () => TaskSpec,
): boolean {
  const { states, tenant } = filter;
  if (states !== undefined && !states.includes(record.state)) return false;
  if (tenant !== undefined && record.tenant !== tenant) return false;
  if (!settledThen(filter, record.settledAtMs)) return false;
  const { namePrefix, orderKey, labels = [] } = filter;
  if (namePrefix === undefined && orderKey === undefined && labels.length === 0) return true;
  const spec = specOf();
  if (orderKey !== undefined && spec.orderKey !== orderKey) return false;
  if (namePrefix !== undefined && !spec.name.startsWith(namePrefix)) return false;
  return labels.every(([name, value]) =>
    spec.labels.some(([own, held]) => own === name && held === value),
  );
}
