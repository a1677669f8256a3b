/** Which of a tenant's ready tasks the planner is offered, where its plan does not allow all. */
import { expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import { planFrom } from '../../../src/model/plan.ts';
import type { ReadyBatch } from '../../../src/model/planning.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import type { Scheduler } from '../../../src/node/scheduler.ts';
import { TenantRooms } from '../../../src/node/tenant-rooms.ts';
import { batch, demand, taskId } from '../placement/builders.ts';

const wallMs = 1_000_000;
const dayMs = 86_400_000;
const nothing: ReadonlySet<TaskId> = new Set();

/** The one node of its cluster, by itself for so long that it goes by the plan alone. */
function roomFor(running: number): (batches: readonly ReadyBatch[]) => TaskId[] {
  let nowMs = 0;
  const context = {
    clock: { nowMs: () => nowMs, wallMs: () => wallMs, after: () => () => undefined },
  } as unknown as NodeContext;
  const plan = planFrom('small', [['running', String(running)]]);
  const rooms = new TenantRooms({
    context,
    scheduler: { leaders: () => [].values(), wake: () => undefined } as unknown as Scheduler,
    planOf: tenant => (tenant === 'small' ? plan : undefined),
    table: () => [],
    nodes: () => 1,
  });
  rooms.trim([batch(demand(1), 1, { tenant: 'small' })], nothing);
  nowMs = 10_000;
  return batches => rooms.trim(batches, nothing).flatMap(({ tasks }) => tasks.map(({ id }) => id));
}

/** A day from its bound, unless said otherwise. */
const one = (from: number, changes: Parameters<typeof batch>[2] = {}): ReadyBatch =>
  batch(demand(1), 1, { tenant: 'small', from, boundMs: wallMs + dayMs, ...changes });

test('the first by class, priority and bound is offered, whoever came first', () => {
  const offered = roomFor(1);
  const first = one(1, { readySinceMs: 1 });
  const important = one(2, { readySinceMs: 3, priority: 0 });
  expect(offered([first, important])).toEqual([taskId(2)]);
  const urgent = one(3, { readySinceMs: 4, priority: 2, boundMs: wallMs + 10_000 });
  expect(offered([first, important, urgent])).toEqual([taskId(3)]);
});

test('what may be held off the peak takes no room from what may start', () => {
  const offered = roomFor(1);
  const offPeak = { byLoad: true, windows: [] };
  const held = one(1, { readySinceMs: 1, priority: 0, offPeak });
  expect(offered([held, one(2, { readySinceMs: 2 })])).toEqual([taskId(2)]);
  expect(offered([held])).toEqual([taskId(1)]);
  const released = one(3, { offPeak, boundMs: wallMs + 10_000 });
  expect(offered([released, one(4)])).toEqual([taskId(3)]);
});

test('a tenant without bounds is offered whole', () => {
  const other = batch(demand(1), 5, { tenant: 'other', from: 10 });
  expect(roomFor(1)([other, one(1), one(2)])).toHaveLength(6);
});

test('a gang is counted as a whole, and holds back what is behind it', () => {
  const offered = roomFor(4);
  const gangOf = (from: number, readySinceMs: number, size: number): ReadyBatch => {
    const alone = one(from, { readySinceMs });
    const gang = Array.from({ length: size }, (_, n) => ({ id: taskId(100 + n), avoid: [] }));
    return { ...alone, tasks: alone.tasks.map(task => ({ ...task, gang })) };
  };
  const batches = [one(2, { readySinceMs: 2 }), one(4, { readySinceMs: 4 })];
  batches.push(gangOf(1, 1, 2), gangOf(3, 3, 2));
  // Two and one fit four; another two would not, and the one behind them waits its turn.
  expect(offered(batches).sort()).toEqual([taskId(1), taskId(2)]);
});
