/**
 * What stands before admission: a tenant that is there, a plan that allows the task, and a rate
 * that has room for it. Each request is let in or refused by itself; the tasks of an array are let
 * in together.
 */
import type { Actor } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { burstOf, isMetered, type Plan } from '../model/plan.ts';
import { formatSize } from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';
import { formatDuration } from '../model/time.ts';
import type { SubmitRequest } from '../ports/node-api.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type { Refused } from '../quota/entry.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { planOfTenant } from './tenancy.ts';

/** A spec as its plan lets it in, or why it does not. */
type Judged =
  | { readonly ok: true; readonly spec: TaskSpec; readonly plan: Plan }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** Why something is not let in. */
export type Refusal = Omit<SubmitReply & { readonly ok: false }, 'ok' | 'id'>;

/** What is said of a task that is to be let in. */
interface Asking {
  readonly spec: TaskSpec;
  readonly arrayId?: string | undefined;
}

/** A task as its plan lets it in, or why it is not let in. */
export type LetIn =
  | { readonly ok: true; readonly spec: TaskSpec }
  | (Refusal & { readonly ok: false });

/** Tasks that are let in together or not at all. */
type Whole =
  | { readonly ok: true; readonly specs: readonly TaskSpec[] }
  | (SubmitReply & { readonly ok: false });

/** Requests that are let in together: the tasks of an array, or one. */
interface Unit {
  readonly positions: number[];
  readonly arrayId: string | undefined;
  readonly isGang: boolean;
  readonly plan: Plan;
}

const cpus = (milli: number): string => String(milli / 1_000);

export class TenantGate {
  readonly #machine: () => RegistryMachine | undefined;
  readonly #limiter: RateLimiter;
  /** Submits that were refused here, by tenant ('' for one that there is not) and code. */
  readonly refused = new Map<string, Map<ErrorCode, number>>();

  constructor(machine: () => RegistryMachine | undefined, limiter: RateLimiter) {
    this.#machine = machine;
    this.#limiter = limiter;
  }

  /** Replies in the order of the requests; what is let in goes to `admit`. */
  async submit(
    requests: readonly SubmitRequest[],
    actor: Actor,
    admit: (requests: readonly SubmitRequest[], actor: Actor) => Promise<SubmitReply[]>,
  ): Promise<SubmitReply[]> {
    const judged = this.#judgeAll(requests);
    const everything = [...judged].every(
      ([spec, verdict]) => verdict.ok && verdict.spec === spec && !isMetered(verdict.plan),
    );
    if (everything) return admit(requests, actor);
    const verdicts = await this.letIn(requests);
    const allowed = requests.flatMap((request, position): SubmitRequest[] => {
      const verdict = verdicts[position]!;
      return verdict.ok ? [{ ...request, spec: verdict.spec }] : [];
    });
    const admitted = (allowed.length === 0 ? [] : await admit(allowed, actor)).values();
    return verdicts.map((verdict, position) =>
      verdict.ok ? admitted.next().value! : { ...verdict, id: requests[position]!.id },
    );
  }

  /** What becomes of each, at its place; those that are let in count as submitted. */
  async letIn(requests: readonly Asking[]): Promise<LetIn[]> {
    const judged = this.#judgeAll(requests);
    const refusals = await this.#refusals(requests, judged);
    return requests.map(({ spec }, position): LetIn => {
      const refusal = refusals[position];
      if (refusal !== undefined) return { ok: false, ...refusal };
      const verdict = judged.get(spec);
      return { ok: true, spec: verdict?.ok === true ? verdict.spec : spec };
    });
  }

  /**
   * Why tasks whose specs are fixed already are not let in, each at its place; those that are count
   * as submitted.
   */
  async refusals(requests: readonly Asking[]): Promise<(Refusal | undefined)[]> {
    const judged = this.#judgeAll(requests);
    for (const [spec, verdict] of judged) {
      if (!verdict.ok || verdict.spec === spec) continue;
      const most = formatDuration(verdict.spec.capMs);
      const message = `tenant ${spec.tenant}: the plan allows a cap of ${most} at most, the task has none`;
      judged.set(spec, { ok: false, code: 'notInPlan', message });
    }
    return this.#refusals(requests, judged);
  }

  /** A spec as its plan lets it in; nothing is counted. Throws where the plan does not. */
  check(spec: TaskSpec): TaskSpec {
    const verdict = this.judge(spec);
    if (!verdict.ok) throw new TschedError(verdict.code, verdict.message);
    return verdict.spec;
  }

  #judgeAll(requests: readonly Asking[]): Map<TaskSpec, Judged> {
    const judged = new Map<TaskSpec, Judged>();
    for (const { spec } of requests) if (!judged.has(spec)) judged.set(spec, this.judge(spec));
    return judged;
  }

  async #refusals(
    requests: readonly Asking[],
    judged: ReadonlyMap<TaskSpec, Judged>,
  ): Promise<(Refusal | undefined)[]> {
    const refusals: (Refusal | undefined)[] = new Array(requests.length).fill(undefined);
    const units = new Map<string, Unit[]>();
    requests.forEach(({ spec, arrayId }, position) => {
      const verdict = judged.get(spec)!;
      if (!verdict.ok) {
        refusals[position] = { code: verdict.code, message: verdict.message };
        this.#count(verdict.code === 'unknownTenant' ? '' : spec.tenant, verdict.code);
        return;
      }
      const mine = units.get(spec.tenant) ?? [];
      units.set(spec.tenant, mine);
      const last = mine.at(-1);
      if (arrayId !== undefined && last?.arrayId === arrayId) last.positions.push(position);
      else {
        const isGang = spec.gang !== undefined;
        mine.push({ positions: [position], arrayId, isGang, plan: verdict.plan });
      }
    });
    await Promise.all([...units].map(([tenant, mine]) => this.#limit(tenant, mine, refusals)));
    return refusals;
  }

  async #limit(
    tenant: string,
    units: readonly Unit[],
    refusals: (Refusal | undefined)[],
  ): Promise<void> {
    const { plan } = units[0]!;
    if (!isMetered(plan)) return;
    const refuse = (unit: Unit, refusal: Refusal): void => {
      for (const position of unit.positions) {
        refusals[position] = refusal;
        this.#count(tenant, refusal.code);
      }
    };
    const possible = units.filter(unit => {
      const what = unit.isGang ? 'a gang' : 'an array';
      const message = neverAtOnce(what, unit.positions.length, tenant, plan);
      if (message !== undefined) refuse(unit, { code: 'tooLarge', message });
      return message === undefined;
    });
    const sizes = possible.map(unit => unit.positions.length);
    const verdicts = await this.#limiter.take(tenant, plan, sizes);
    possible.forEach((unit, position) => {
      const over = verdicts[position];
      if (over !== undefined) refuse(unit, refusalOf(over, tenant, plan));
    });
  }

  /** Tasks of one tenant that are one thing: as the plan lets them in, or why it lets none in. */
  async whole(what: string, specs: readonly TaskSpec[]): Promise<Whole> {
    const allowed: TaskSpec[] = [];
    let plan: Plan | undefined;
    for (const spec of specs) {
      const verdict = this.judge(spec);
      if (!verdict.ok) {
        const message = `task ${spec.name}: ${verdict.message}`;
        return this.#refused(spec.tenant, { code: verdict.code, message });
      }
      allowed.push(verdict.spec);
      ({ plan } = verdict);
    }
    if (plan === undefined || !isMetered(plan)) return { ok: true, specs: allowed };
    const { tenant } = allowed[0]!;
    const never = this.neverWhole(what, allowed);
    if (never !== undefined) return this.#refused(tenant, never);
    const [over] = await this.#limiter.take(tenant, plan, [allowed.length]);
    if (over !== undefined) return this.#refused(tenant, refusalOf(over, tenant, plan));
    return { ok: true, specs: allowed };
  }

  /** Why so many tasks of one tenant could not be let in as one even if nothing else came. */
  neverWhole(what: string, specs: readonly TaskSpec[]): Refusal | undefined {
    const [first] = specs;
    const verdict = first && this.judge(first);
    if (first === undefined || verdict?.ok !== true || !isMetered(verdict.plan)) return undefined;
    const message = neverAtOnce(what, specs.length, first.tenant, verdict.plan);
    return message === undefined ? undefined : { code: 'tooLarge', message };
  }

  /** Why its plan does not allow such a task at any time; nothing is counted. */
  mayNot(spec: TaskSpec): Refusal | undefined {
    const verdict = this.judge(spec);
    return verdict.ok ? undefined : verdict;
  }

  #refused(tenant: string, refusal: Refusal): Whole {
    this.#count(tenant, refusal.code);
    return { ok: false, ...refusal };
  }

  #count(tenant: string, code: ErrorCode): void {
    const counts = this.refused.get(tenant) ?? new Map<ErrorCode, number>();
    this.refused.set(tenant, counts.set(code, (counts.get(code) ?? 0) + 1));
  }

  /** Whether its plan allows such a task at any time; nothing is charged. */
  judge(spec: TaskSpec): Judged {
    const { tenant } = spec;
    const machine = this.#machine();
    if (machine?.cluster() === undefined) {
      return { ok: false, code: 'starting', message: 'this node does not know its cluster yet' };
    }
    const plan = planOfTenant(machine, tenant);
    if (plan === undefined) {
      return { ok: false, code: 'unknownTenant', message: `there is no tenant "${tenant}"` };
    }
    const why = notInPlan(spec, plan);
    if (why !== undefined) {
      return { ok: false, code: 'notInPlan', message: `tenant ${tenant}: ${why}` };
    }
    const capped = spec.capMs === 0 && plan.capMs !== undefined;
    return { ok: true, plan, spec: capped ? { ...spec, capMs: plan.capMs } : spec };
  }
}

/** What the plan does not allow of a task at any time. */
function notInPlan({ tier, capMs, request, gang = 1 }: TaskSpec, plan: Plan): string | undefined {
  const what = gang === 1 ? 'the task' : `the gang of ${gang}`;
  const [cpuMilli, memoryBytes] = [gang * request.cpuMilli, gang * request.memoryBytes];
  if (!plan.tiers.includes(tier)) {
    return `the plan allows tier ${plan.tiers.join(', ')}, the task asks for ${tier}`;
  }
  if (plan.capMs !== undefined && capMs > plan.capMs) {
    const [most, asked] = [formatDuration(plan.capMs), formatDuration(capMs)];
    return `the plan allows a cap of ${most} at most, the task asks for ${asked}`;
  }
  if (gang > 1 && gang > (plan.running ?? gang)) {
    return `the plan allows ${plan.running} running tasks, ${what} would be more`;
  }
  if (cpuMilli > (plan.cpuMilli ?? cpuMilli)) {
    const [most, asked] = [cpus(plan.cpuMilli!), cpus(cpuMilli)];
    return `the plan allows ${most} CPUs for all tasks together, ${what} asks for ${asked}`;
  }
  if (memoryBytes > (plan.memoryBytes ?? memoryBytes)) {
    const [most, asked] = [formatSize(plan.memoryBytes!), formatSize(memoryBytes)];
    return `the plan allows ${most} memory for all tasks together, ${what} asks for ${asked}`;
  }
  return undefined;
}

/** Why so many tasks could not be let in together even if nothing else came. */
function neverAtOnce(whole: string, count: number, tenant: string, plan: Plan): string | undefined {
  const bounds = [
    ['at once', burstOf(plan)],
    ['an hour', plan.submitsPerHour],
    ['waiting', plan.waiting],
  ] as const;
  const over = bounds.find(([, most]) => most !== undefined && count > most);
  if (over === undefined) return undefined;
  const what = count === 1 ? 'a task is' : `${whole} of ${count} tasks is`;
  return `${what} more than tenant ${tenant} may have ${over[0]}: ${over[1]}`;
}

function refusalOf({ limit, retryMs }: Refused, tenant: string, plan: Plan): Refusal {
  const seconds = Math.max(1, Math.ceil(retryMs / 1_000));
  const again = `try again in ${formatDuration(seconds * 1_000)}`;
  switch (limit) {
    case 'second':
      return {
        code: 'rateLimited',
        message:
          `tenant ${tenant} may submit ${plan.submitsPerSecond} tasks a second, ` +
          `${burstOf(plan)} at once: ${again}`,
        retryAfterMs: retryMs,
      };
    case 'hour':
      return {
        code: 'rateLimited',
        message: `tenant ${tenant} may submit ${plan.submitsPerHour} tasks an hour: ${again}`,
        retryAfterMs: retryMs,
      };
    case 'waiting':
      return {
        code: 'quotaExceeded',
        message: `tenant ${tenant} may have ${plan.waiting} waiting tasks: ${again}`,
        retryAfterMs: retryMs,
      };
  }
}
