import { describe, expect, test } from 'vitest';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { TaskControl, TaskRequest } from '../../../src/model/task-change.ts';
import { tierBundles } from '../../../src/model/tiers.ts';
import { controlTasks } from '../../../src/node/control-tasks.ts';
import { taskId } from '../placement/builders.ts';
import { someSpec } from './small-world.ts';

const actor = { name: 'ann', tenant: 'default' };
const hour = 3_600_000;

/** Tasks by their place; tier regular may run for two hours, a plan as long as it says. */
function desk(specs: readonly TaskSpec[], planCapMs: number | undefined) {
  const changes: TaskRequest[] = [];
  type Parts = Parameters<typeof controlTasks>[0];
  const parts: Parts = {
    registry: {
      tiers: () => tierBundles(tier => (tier === 'regular' ? { capMsMax: 2 * hour } : {})),
    },
    reads: { spec: async id => specs[specs.findIndex((_, at) => taskId(at) === id)]! },
    writes: {
      change: async (ids, asked) => {
        changes.push(asked);
        return ids.map(id => ({ ok: true, id, shard: 1, repeated: false }));
      },
    },
    gate: {
      judge: spec => {
        if (planCapMs !== undefined && spec.capMs > planCapMs) {
          return { ok: false, code: 'notInPlan', message: 'too long for the plan' };
        }
        const capMs = spec.capMs === 0 ? (planCapMs ?? 0) : spec.capMs;
        return { ok: true, spec: { ...spec, capMs } } as ReturnType<Parts['gate']['judge']>;
      },
    },
  };
  const ids = specs.map((_, at) => taskId(at));
  return { changes, ask: (asked: TaskControl) => controlTasks(parts, ids, asked, actor) };
}

const capped = (capMs: number): TaskControl => ({ kind: 'update', overrides: { capMs } });

describe('a cap that is changed after the submit', () => {
  test('is refused above the ceiling of the tier, of each task by itself', async () => {
    const { ask, changes } = desk([someSpec({ tier: 'regular' }), someSpec()], undefined);
    expect(await ask(capped(3 * hour))).toMatchObject([
      { ok: false, id: taskId(0), code: 'badSpec', message: expect.stringContaining('2h') },
      { ok: true, id: taskId(1) },
    ]);
    expect(changes).toEqual([capped(3 * hour)]);
  });

  test('is refused above what the plan of the tenant allows', async () => {
    const { ask, changes } = desk([someSpec({ tier: 'basic' })], hour);
    expect(await ask(capped(2 * hour))).toMatchObject([{ ok: false, code: 'notInPlan' }]);
    expect(changes).toEqual([]);
  });

  test('becomes the ceiling where it is taken away', async () => {
    const regular = desk([someSpec({ tier: 'regular' })], undefined);
    await regular.ask(capped(0));
    expect(regular.changes).toEqual([capped(2 * hour)]);
    const planned = desk([someSpec({ tier: 'basic' })], hour);
    await planned.ask(capped(0));
    expect(planned.changes).toEqual([capped(hour)]);
  });
});

test('whatever says no cap goes to the shards as it is, all tasks at once', async () => {
  const { ask, changes } = desk([someSpec(), someSpec()], hour);
  const asked: TaskControl = { kind: 'pause', suspend: true, reason: 'why' };
  expect(await ask(asked)).toHaveLength(2);
  expect(changes).toEqual([asked]);
});
