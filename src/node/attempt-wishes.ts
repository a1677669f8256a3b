/**
 * How the live attempts of a shard are to go on, as its leader sees it: whether one is to stand
 * still, because its task, its tenant or all of the cluster is paused so, and under which cap. What
 * is wanted is held against what the worker said, so that a message that was lost or came late is
 * made good by the next look.
 */
import { registryGroup } from '../model/ids.ts';
import { decodeSpec, encodeSpec } from '../model/spec.ts';
import { type SpecOverrides, withOverrides } from '../model/spec-overrides.ts';
import type { AttemptControl } from '../model/worker-protocol.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import { everyTenant, type Pauses, suspendsTenant } from '../registry/pauses.ts';
import type { LiveAttempt } from '../shard/live-attempt.ts';
import type { NodeContext } from './context.ts';

const noPauses: Pauses = new Map();

/** Pauses of tenants and of the whole cluster, as this node has heard of them. */
export function pausesIn(context: Pick<NodeContext, 'loop'>): Pauses {
  const machine = context.loop.replica(registryGroup)?.machine;
  return (machine as unknown as RegistryMachine | undefined)?.pauses() ?? noPauses;
}

/** Notices that somebody paused or resumed a tenant, or all of the cluster. */
export class PauseWatch {
  readonly #context: NodeContext;
  #seen = '';

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Whether that happened since it was asked last. */
  changed(): boolean {
    const paused = [...pausesIn(this.#context)];
    const seen = paused.map(([tenant, { suspend }]) => `${tenant} ${suspend}`).join();
    const isNews = seen !== this.#seen;
    this.#seen = seen;
    return isNews;
  }
}

/** Whether nothing of a tenant is to be placed. */
export const isTenantPaused = (pauses: Pauses, tenant: string): boolean =>
  pauses.size > 0 && (pauses.has(everyTenant) || pauses.has(tenant));

/** How an attempt is to go on. */
export const wishFor = (attempt: LiveAttempt, pauses: Pauses): AttemptControl => ({
  suspended: attempt.toSuspend || suspendsTenant(pauses, attempt.tenant),
  capMs: attempt.overrides?.capMs,
});

/** Whether its worker still has to be told; `toldCapMs` is the cap that it has confirmed. */
export const isUntold = (
  attempt: LiveAttempt,
  wish: AttemptControl,
  toldCapMs: number | undefined,
): boolean =>
  wish.suspended !== attempt.suspended || (wish.capMs !== undefined && wish.capMs !== toldCapMs);

/** The spec that a worker is given: what was changed stands in the place of what was submitted. */
export const specBytesWith = (
  bytes: Uint8Array,
  overrides: SpecOverrides | undefined,
): Uint8Array =>
  overrides === undefined ? bytes : encodeSpec(withOverrides(decodeSpec(bytes), overrides));
