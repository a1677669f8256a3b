/**
 * From a scenario and a seed to the list of faults that a run will see. Pure: the same scenario and
 * seed give the same list; whom a random target hits is decided by the draw that each fault
 * carries, from the nodes that are whole at that moment.
 */
import { type Draw, drawBetween, makeDraw } from './draw.ts';
import { type FaultKind, kindRow } from './fault-kinds.ts';
import type { FaultPlan, RandomPlan, Scenario } from './scenario.ts';
import type { Target } from './target.ts';

export interface PlannedFault extends FaultPlan {
  /** Number of the fault in the run, from 1. */
  readonly number: number;
  /** Seed of its own choices. */
  readonly seed: number;
  /** The seed put it here, not the scenario: that it finds nobody to hit is no failure. */
  readonly drawn: boolean;
  /** It waits while so many drawn ones are on: a node may take long to be back from one. */
  readonly atOnce?: number | undefined;
}

/** Every fault of the run in the order of time. */
export function planFaults(scenario: Scenario, seed: number): PlannedFault[] {
  const random = scenario.random === undefined ? [] : drawFaults(scenario.random, seed);
  return [
    ...scenario.faults.map(fault => ({ ...fault, drawn: false })),
    ...random.map(fault => ({ ...fault, drawn: true, atOnce: scenario.random?.atOnce })),
  ]
    .sort((left, right) => left.atMs - right.atMs)
    .map((fault, place) => ({ ...fault, number: place + 1, seed: seed * 1_000 + place }));
}

function drawFaults(plan: RandomPlan, seed: number): FaultPlan[] {
  const draw = makeDraw(seed, 1);
  const faults: FaultPlan[] = [];
  let atMs = plan.fromMs;
  for (;;) {
    atMs += drawBetween(draw, Math.floor(plan.everyMs / 2), Math.floor(plan.everyMs * 1.5));
    const kind = plan.kinds[draw(plan.kinds.length)]!;
    const forMs = kindRow(kind).lasts ? drawLength(plan, draw) : 0;
    if (atMs + forMs > plan.untilMs) return faults;
    const active = faults.filter(fault => fault.atMs + fault.forMs >= atMs);
    const twoCuts = isOfNetwork(kind) && active.some(fault => isOfNetwork(fault.kind));
    if (active.length >= plan.atOnce || twoCuts) continue;
    faults.push({ atMs, forMs, kind, target: drawTarget(kind, draw), options: plan.options });
  }
}

/** Short ones more often than long ones. */
function drawLength(plan: RandomPlan, draw: Draw): number {
  const longest = draw(3) === 0 ? plan.longestMs : (plan.shortestMs + plan.longestMs) / 2;
  return drawBetween(draw, plan.shortestMs, Math.floor(longest));
}

const isOfNetwork = (kind: FaultKind): boolean => kindRow(kind).needs === 'network';

function drawTarget(kind: FaultKind, draw: Draw): Target {
  if (kind === 'partition') return { of: 'minority' };
  if (kind === 'rollingRestart' || kind === 'powerCut') return { of: 'all' };
  return draw(3) === 0 ? { of: 'leader' } : { of: 'random', count: 1 };
}
