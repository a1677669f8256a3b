/** What is offered to the planner of tenants whose plan bounds what their tasks hold. */
import { expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import { planFrom } from '../../../src/model/plan.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import type { OfferedBatch } from '../../../src/node/placement-desk.ts';
import type { Scheduler } from '../../../src/node/scheduler.ts';
import { TenantRooms } from '../../../src/node/tenant-rooms.ts';
import { resources } from './small-world.ts';

test('a gang is counted as a whole, and holds back what is behind it', () => {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, after: () => () => undefined };
  const plan = planFrom('own', [['running', '4']]);
  const rooms = new TenantRooms({
    context: { clock } as unknown as NodeContext,
    scheduler: { leaders: () => [], wake: () => undefined } as unknown as Scheduler,
    planOf: () => plan,
    table: () => [],
    nodes: () => 1,
  });
  const task = (id: string, readySinceMs: number, gang = 1) => ({
    id: id as TaskId,
    tenant: 'acme',
    readySinceMs,
    gang: gang === 1 ? undefined : new Array<unknown>(gang),
  });
  const batchesOf = (): OfferedBatch[] => [
    { demand: { request: resources(100) }, tasks: [task('b', 2), task('d', 4)] },
    { demand: { request: resources(100) }, tasks: [task('a', 1, 2), task('c', 3, 2)] },
  ];
  const offered = (): string[] => {
    const batches = batchesOf();
    rooms.trim(batches, new Set());
    return batches.flatMap(({ tasks }) => tasks.map(({ id }) => id as string)).sort();
  };
  expect(offered()).toEqual([]);
  nowMs = 10_000;
  // Two and one fit four; another two would not, and the one behind them waits its turn.
  expect(offered()).toEqual(['a', 'b']);
  expect(rooms.holdsBack('acme')).toBe(true);
});
