/**
 * What a shard decides from of a spec: who it is of, what it needs of a node, in which lane its
 * tasks wait and how long, and what becomes of those that fail.
 */
import type { RetryRule } from '../../model/failure-causes.ts';
import type { TaskId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import type { Demand, Lane } from '../../model/planning.ts';
import { noResources, resourceNames } from '../../model/resources.ts';
import type { Backoff, SpecTerms } from '../../model/spec.ts';
import type { SpecOverrides } from '../../model/spec-overrides.ts';
import { type OffPeak, priorities } from '../../model/spec-scheduling.ts';
import { toleranceOf } from '../../model/start-bound.ts';
import type { When } from '../../model/when.ts';
import { formatWindow } from '../../model/windows.ts';

/** What apply needs of a spec. Interned: equal traits are one object. */
export interface Traits {
  readonly tenant: string;
  readonly demand: Demand;
  readonly lane: Lane;
  readonly toleranceMs: number;
  /** 0 is never. */
  readonly expireMs: number;
  readonly capMs: number;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly leaseMs: number;
  readonly retry: RetryRule;
  /** Not to start before; 0 where that was not asked for. */
  readonly notBeforeMs: number;
  /** The same from the submit on. */
  readonly delayMs: number;
  /** Tasks by ID that it waits for. */
  readonly after: readonly TaskId[];
  readonly when: When;
  /** Number of specs in memory, and of tasks that were changed, that have them. */
  uses: number;
  /** By which these know them (`shared-traits.ts`). */
  number: number;
  readonly text: string;
}

/** What traits say, before there is one object for all that say it. */
export type TraitValues = Omit<Traits, 'uses' | 'number' | 'text'>;

const retryOf = ({ retryOn, noRetryOn }: SpecTerms): RetryRule =>
  retryOn === undefined && noRetryOn === undefined
    ? everyFailure
    : { on: retryOn ?? [], not: noRetryOn ?? [] };

/** No parents. */
export const nobody: readonly TaskId[] = Object.freeze([]);

export const everyFailure: RetryRule = { on: [], not: [] };

/** Texts one after the other, each behind its length: no two lists give the same text. */
const joined = (texts: readonly string[]): string => texts.map(t => `${t.length}:${t}`).join('');

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

const sorted = (pairs: SpecTerms['require']): SpecTerms['require'] =>
  [...pairs].sort((left, right) => compare(left[0], right[0]) || compare(left[1], right[1]));

export function demandOf(spec: SpecTerms): Demand {
  const { tier, request, gang, tenant, reservation } = spec;
  const require = sorted(spec.require);
  return makeDemand({
    ...{ tier, request, require, gang },
    prefer: spec.prefer && sorted(spec.prefer),
    // Groups of two tenants are two, whatever they are called; so are their reservations.
    spread: spec.spread && {
      label: spec.spread.label,
      group: joined([tenant, spec.spread.group]),
    },
    reservation: reservation === undefined ? undefined : { name: reservation, tenant },
  });
}

/** Of labels that are in order. */
export function makeDemand(of: Omit<Demand, 'key'>): Demand {
  const { tier, request, require, prefer, spread, gang, reservation } = of;
  const amounts = resourceNames.map(name => request[name]).join(',');
  let key = `${tier}|${amounts}|${joined(require.flat())}`;
  if (isSimple(of)) return { key, tier, request, require };
  key += `|${joined(prefer?.flat() ?? [])}|${spread ? joined([spread.label, spread.group]) : ''}`;
  key += `|${gang ?? ''}|${reservation ? joined([reservation.name, reservation.tenant]) : ''}`;
  return { key, tier, request, require, prefer, spread, gang, reservation };
}

const offPeakText = (offPeak: OffPeak | undefined): string =>
  offPeak === undefined
    ? ''
    : `${offPeak.byLoad ? 'load' : ''}/${offPeak.windows.map(formatWindow).join('/')}`;

export const makeLane = (of: Omit<Lane, 'key'>): Lane => {
  const { priority, offPeak, tenant, demand } = of;
  const key = `${priority}|${offPeakText(offPeak)}|${joined([tenant])}|${demand.key}`;
  return { ...of, key };
};

const rankOf = (priority: SpecTerms['priority']): number =>
  priorities.indexOf(priority ?? 'normal');

export const laneOf = (spec: SpecTerms, demand: Demand = demandOf(spec)): Lane =>
  makeLane({ demand, tenant: spec.tenant, priority: rankOf(spec.priority), offPeak: spec.offPeak });

/** Of a spec; its demand and its lane are its own, though others may have equal ones. */
export function traitsOfSpec(spec: SpecTerms): TraitValues {
  const demand = demandOf(spec);
  return {
    tenant: spec.tenant,
    demand,
    lane: laneOf(spec, demand),
    toleranceMs: toleranceOf(spec),
    expireMs: spec.expireMs ?? 0,
    capMs: spec.capMs,
    attempts: Math.max(1, Math.min(spec.attempts, limits.attemptsMax)),
    backoff: spec.backoff,
    leaseMs: spec.leaseMs,
    retry: retryOf(spec),
    notBeforeMs: spec.notBeforeMs ?? 0,
    delayMs: spec.delayMs ?? 0,
    after: spec.after ?? nobody,
    when: spec.when ?? 'success',
  };
}

/** As somebody changed them: what orders the tasks that wait. */
export function changedTraits(traits: Traits, changes: SpecOverrides): TraitValues {
  const { lane, toleranceMs, capMs } = traits;
  const priority = changes.priority === undefined ? lane.priority : rankOf(changes.priority);
  return {
    ...traits,
    lane: priority === lane.priority ? lane : makeLane({ ...lane, priority }),
    toleranceMs: changes.toleranceMs ?? toleranceMs,
    capMs: changes.capMs ?? capMs,
  };
}

/** Equal exactly where all the values are. */
export function textOfTraits(traits: TraitValues): string {
  const { attempts, backoff, retry, when, after, lane } = traits;
  const { notBeforeMs, delayMs, toleranceMs, expireMs, capMs, leaseMs } = traits;
  const runs = `${attempts},${backoff.initialMs},${backoff.maxMs}`;
  const times = `${notBeforeMs},${delayMs},${toleranceMs},${expireMs},${capMs},${leaseMs}`;
  const causes = `${joined(retry.on)}/${joined(retry.not)}`;
  return `${runs},${times}|${when}${after.join()}|${causes}|${lane.key}`;
}

/** Names neither labels nor other tasks nor a reservation: most do not. */
const isPlain = (terms: SpecTerms | Demand): boolean =>
  terms.require.length === 0 && isSimple(terms);

/** Its demand has no more than a tier, an amount and labels. */
const isSimple = ({
  prefer,
  spread,
  gang,
  reservation,
}: SpecTerms | Omit<Demand, 'key'>): boolean =>
  (prefer ?? spread ?? gang ?? reservation) === undefined;

export const hasTraits = (spec: SpecTerms, traits: Traits): boolean =>
  spec.tenant === traits.tenant &&
  spec.tier === traits.demand.tier &&
  spec.attempts === traits.attempts &&
  spec.leaseMs === traits.leaseMs &&
  spec.capMs === traits.capMs &&
  (spec.expireMs ?? 0) === traits.expireMs &&
  (spec.notBeforeMs ?? 0) === traits.notBeforeMs &&
  (spec.delayMs ?? 0) === traits.delayMs &&
  toleranceOf(spec) === traits.toleranceMs &&
  rankOf(spec.priority) === traits.lane.priority &&
  spec.offPeak === undefined &&
  traits.lane.offPeak === undefined &&
  spec.backoff.initialMs === traits.backoff.initialMs &&
  spec.backoff.maxMs === traits.backoff.maxMs &&
  retryOf(spec) === traits.retry &&
  spec.after === undefined &&
  traits.after.length === 0 &&
  (spec.when ?? 'success') === traits.when &&
  isPlain(spec) &&
  isPlain(traits.demand) &&
  resourceNames.every(name => spec.request[name] === traits.demand.request[name]);

const unknownDemand: Demand = { key: '', tier: 'basic', request: noResources, require: [] };

/** Of all specs whose row has not been read yet: while a shard is loaded those are many. */
export const unknownTraits: Traits = {
  tenant: '',
  demand: unknownDemand,
  lane: { key: '', demand: unknownDemand, tenant: '', priority: 0, offPeak: undefined },
  toleranceMs: 0,
  expireMs: 0,
  capMs: 0,
  attempts: 0,
  backoff: { initialMs: 0, maxMs: 0 },
  leaseMs: 0,
  retry: everyFailure,
  notBeforeMs: 0,
  delayMs: 0,
  after: nobody,
  when: 'success',
  uses: 0,
  number: 0,
  text: '',
};
