/** The order of a plan against a plain model: the least of what is left, by one list of rules. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Lane, ReadyBatch, ReadyTask } from '../../src/model/planning.ts';
import { FairWalk, isTaskBefore } from '../../src/placement/order.ts';
import { amountsOf } from '../../src/placement/room.ts';
import { cpus, demand, lane, readyTask, taskId } from '../unit/placement/builders.ts';

const nowMs = 1_000_000;
const demands = [demand(1), demand(2), demand(3)];
const tenants = ['a', 'b', 'c'];
const weights: Record<string, number> = { a: 1, b: 2, c: 1 };
const total = 20;

interface Waiting {
  readonly lane: Lane;
  readonly task: ReadyTask;
}

class Model {
  left: Waiting[];
  readonly #held: Map<string, number>;

  constructor(waiting: readonly Waiting[], held: ReadonlyMap<string, number>) {
    this.left = [...waiting];
    this.#held = new Map(held);
  }

  #rules({ lane: { tenant, priority }, task }: Waiting): (number | string)[] {
    const share = (this.#held.get(tenant) ?? 0) / (total * 1_000) / (weights[tenant] ?? 1);
    const urgent = task.boundMs - nowMs <= 60_000 ? 0 : 1;
    const cap = task.capMs === 0 ? Number.POSITIVE_INFINITY : task.capMs;
    return [urgent, share, priority, task.boundMs, cap, task.readySinceMs, task.id];
  }

  get current(): Waiting | undefined {
    let best: Waiting | undefined;
    for (const one of this.left) if (best === undefined || this.#isBefore(one, best)) best = one;
    return best;
  }

  #isBefore(left: Waiting, right: Waiting): boolean {
    const [l, r] = [this.#rules(left), this.#rules(right)];
    const at = l.findIndex((value, place) => value !== r[place]);
    return at >= 0 && l[at]! < r[at]!;
  }

  place(one: Waiting): void {
    const { tenant } = one.lane;
    const cpuMilli = one.lane.demand.request.cpuMilli;
    this.#held.set(tenant, (this.#held.get(tenant) ?? 0) + cpuMilli);
    this.left = this.left.filter(other => other !== one);
  }
}

const aTask = fc.record({
  demand: fc.constantFrom(...demands),
  tenant: fc.constantFrom(...tenants),
  priority: fc.nat(2),
  leftMs: fc.constantFrom(10_000, 60_000, 60_001, 90_000, 600_000),
  capMs: fc.constantFrom(0, 1_000, 5_000),
  sinceMs: fc.nat(3),
});

test('a walk meets tasks in the order of the rules, whatever becomes of each', () => {
  fc.assert(
    fc.property(
      fc.array(aTask, { maxLength: 30, size: 'max' }),
      fc.array(fc.nat(6), { minLength: 3, maxLength: 3 }),
      fc.array(fc.constantFrom('placed', 'placed', 'next', 'lane', 'demand'), {
        minLength: 31,
        maxLength: 31,
      }),
      (tasks, holds, steps) => {
        const lanes = new Map<string, { lane: Lane; tasks: ReadyTask[] }>();
        const waiting = tasks.map(({ demand: of, tenant, priority, ...given }, number) => {
          const made = lane(of, { tenant, priority });
          const known = lanes.get(made.key) ?? { lane: made, tasks: [] };
          lanes.set(made.key, known);
          const task = {
            ...readyTask(taskId(number), given.sinceMs),
            boundMs: nowMs + given.leftMs,
            capMs: given.capMs,
          };
          known.tasks.push(task);
          return { lane: known.lane, task };
        });
        const batches: ReadyBatch[] = [...lanes.values()].map(given => ({
          lane: given.lane,
          tasks: given.tasks.toSorted((l, r) => (isTaskBefore(l, r) ? -1 : 1)),
          count: given.tasks.length,
        }));
        const held = new Map(tenants.map((tenant, at) => [tenant, (holds[at] ?? 0) * 1_000]));
        const model = new Model(waiting, held);
        const walk = new FairWalk({
          batches,
          draw: () => 0.5,
          nowMs,
          total: amountsOf(demand(0, { request: cpus(total) })),
          shareOf: tenant => ({
            held: [held.get(tenant) ?? 0],
            weight: weights[tenant] ?? 1,
          }),
        });
        for (const step of steps) {
          const wanted = model.current;
          expect(walk.current?.task.id).toBe(wanted?.task.id);
          if (wanted === undefined) break;
          if (step === 'placed') {
            walk.placed();
            model.place(wanted);
            continue;
          }
          const { lane: of } = wanted;
          if (step === 'next') {
            walk.next();
            model.left = model.left.filter(other => other !== wanted);
          } else if (step === 'lane') {
            walk.leaveLane();
            model.left = model.left.filter(other => other.lane !== of);
          } else {
            walk.leaveDemand();
            model.left = model.left.filter(other => other.lane.demand !== of.demand);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
