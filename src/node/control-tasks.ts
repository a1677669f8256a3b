/**
 * What people ask of tasks that are there, held against what their submit was held against: a cap
 * that is changed later stays under the ceiling of the tier and under that of the tenant's plan.
 */
import type { Actor } from '../model/command.ts';
import type { TaskId } from '../model/ids.ts';
import type { TaskControl } from '../model/task-change.ts';
import { overCeiling } from '../model/tiers.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type { RegistryClient } from './registry-client.ts';
import { failureOf } from './submit-replies.ts';
import type { TaskReads } from './task-reads.ts';
import type { TaskWrites } from './task-writes.ts';
import type { TenantGate } from './tenant-gate.ts';

interface Parts {
  readonly registry: Pick<RegistryClient, 'tiers'>;
  readonly reads: Pick<TaskReads, 'spec'>;
  readonly writes: Pick<TaskWrites, 'change'>;
  readonly gate: Pick<TenantGate, 'judge'>;
}

/** Replies in the order of the tasks. */
export async function controlTasks(
  parts: Parts,
  ids: readonly TaskId[],
  asked: TaskControl,
  actor: Actor,
): Promise<SubmitReply[]> {
  if (asked.kind !== 'update' || asked.overrides.capMs === undefined) {
    return parts.writes.change(ids, asked, actor);
  }
  const { overrides } = asked;
  const { capMs } = asked.overrides;
  // Each may have a tier and a tenant of its own.
  return Promise.all(
    ids.map(async (id): Promise<SubmitReply> => {
      try {
        const capped = await allowedCap(parts, id, capMs);
        if (!capped.ok) return { ...capped, id };
        const change = { ...asked, overrides: { ...overrides, capMs: capped.capMs } };
        const [reply] = await parts.writes.change([id], change, actor);
        return reply!;
      } catch (error) {
        return failureOf(error, id);
      }
    }),
  );
}

/** A cap as a submit of the task would be let in with it. */
async function allowedCap(
  { registry, reads, gate }: Parts,
  id: TaskId,
  capMs: number,
): Promise<{ readonly ok: true; readonly capMs: number } | (SubmitReply & { readonly ok: false })> {
  const spec = await reads.spec(id);
  const tiers = registry.tiers();
  const over = overCeiling(spec.tier, capMs, tiers);
  if (over !== undefined) return { ok: false, code: 'badSpec', message: `/cap: ${over}` };
  const judged = gate.judge({ ...spec, capMs: capMs === 0 ? tiers[spec.tier].capMsMax : capMs });
  return judged.ok ? { ok: true, capMs: judged.spec.capMs } : judged;
}
