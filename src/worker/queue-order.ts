/** Which of the attempts that wait for room on a node gets it next. */
import { assert } from '../model/assert.ts';
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { addResources, noResources, type Resources, resourceNames } from '../model/resources.ts';
import { isUrgent } from '../model/start-bound.ts';
import type { Launch } from './action.ts';

interface Queued {
  readonly ref: { readonly taskId: TaskId };
  readonly request: Resources;
  readonly launch: Launch | undefined;
  readonly acceptedAtMs: number;
}

/**
 * Urgent attempts first, then those of the tenant that holds least on the node, then by start
 * bound, then first come first; `live` are those that hold resources.
 */
export function nextInQueue<Entry extends Queued>(
  queue: readonly Entry[],
  live: ReadonlyMap<TaskId, Queued>,
  about: { readonly total: Resources; readonly nowMs: number },
): Entry | undefined {
  let best: Entry | undefined;
  let bestRank: readonly number[] = [];
  for (const entry of queue) {
    // The attempt before it is still ending here; what comes after it need not wait.
    if (live.has(entry.ref.taskId)) continue;
    const { launch, acceptedAtMs } = entry;
    assert(launch !== undefined, 'what is queued is to be launched');
    const boundMs = acceptedAtMs + (launch.boundInMs ?? limits.toleranceMsDefault);
    const urgent = isUrgent(boundMs, about.nowMs) ? 0 : 1;
    const rank = [urgent, shareOf(launch.spec.tenant, live.values(), about.total), boundMs];
    const at = rank.findIndex((value, place) => value !== bestRank[place]);
    if (best !== undefined && (at < 0 || rank[at]! > bestRank[at]!)) continue;
    best = entry;
    bestRank = rank;
  }
  return best;
}

/** Share of the node that a tenant holds, of the resource of which it holds most. */
function shareOf(tenant: string, live: Iterable<Queued>, total: Resources): number {
  let held = noResources;
  for (const { launch, request } of live) {
    if (launch?.spec.tenant === tenant) held = addResources(held, request);
  }
  return Math.max(...resourceNames.map(name => (total[name] > 0 ? held[name] / total[name] : 0)));
}
