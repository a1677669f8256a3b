/** The schedules of a run, on a cluster that is a list of answers. */
import { expect, test } from 'vitest';
import type { Answer } from '../../../src/chaos/calls.ts';
import type { Cluster } from '../../../src/chaos/cluster.ts';
import type { TaskRecord } from '../../../src/chaos/history.ts';
import type { Scenario } from '../../../src/chaos/scenario.ts';
import { ScheduledWork } from '../../../src/chaos/scheduled-work.ts';

interface Asked {
  readonly path: string;
  readonly body?: unknown;
}

function scheduled(
  plan: Scenario['schedules'],
  answer: (asked: Asked) => Answer | undefined,
): { work: ScheduledWork; asked: Asked[] } {
  const asked: Asked[] = [];
  const cluster = {
    nodes: [{ number: 1, awake: true }],
    ...{ runKey: 'run', retryEveryMs: 1, lookEveryMs: 1 },
    call: async (_node: unknown, path: string, { body }: { body?: unknown }) => {
      asked.push({ path, body });
      const said = answer({ path, body });
      if (said === undefined) throw new Error('not answered');
      return said;
    },
  };
  const scenario = { schedules: plan, workMs: 1_000 } as unknown as Scenario;
  const { signal } = new AbortController();
  const files = { command: ['/bin/sh'], log: 'log' };
  const work = new ScheduledWork(cluster as unknown as Cluster, scenario, { files, signal });
  return { work, asked };
}

const ok = (body: unknown = {}): Answer => ({ status: 200, body });
const page = (ids: readonly string[], cursor?: string, more = {}): Answer =>
  ok({ tasks: ids.map(id => ({ id })), missingShards: [], staleShards: [], cursor, ...more });

const record = (id: string, schedule: string, occurrenceAtMs: number): TaskRecord => ({
  ...{ id, schedule, occurrenceAtMs, state: 'succeeded', lost: 0, attempts: [] },
});

test('is asked for until it is taken, waited for, deleted, and told with what it made', async () => {
  const answers = new Map<string, (Answer | undefined)[]>([
    ['/v1/schedules', [undefined, { status: 503, body: {} }, { status: 201, body: {} }]],
    ['/v1/schedules/run-1', [ok({ nextAtMs: 1 }), ok({ nextAtMs: Date.now() + 3_600_000 })]],
    ['/v1/schedules/run-1/delete', [undefined, { status: 404, body: {} }]],
    ['/v1/tasks', [page(['x'], undefined, { missingShards: [3] }), page(['f1'], 'next')]],
  ]);
  const { work, asked } = scheduled({ once: 0, everyMinute: 1 }, ({ path }) => {
    if (path.includes('cursor=next')) return page(['f2']);
    return answers.get(path.replace(/\?.*/, ''))?.shift();
  });
  await work.prepare();
  expect(asked[0]?.body).toMatchObject({
    ...{ name: 'run-1', cron: '* * * * *', overlap: 'allow', catchUp: 'all' },
    task: { name: 'chaos-fired', command: ['/bin/sh', 'log', '-1', '0', '0'] },
  });
  const ids = await work.finish(1_000);
  expect(ids).toEqual(['f1', 'f2']);
  expect([...answers.values()].flat()).toEqual([]);
  const tasks = new Map([
    ['f1', record('f1', 'run-1', 60_000)],
    ['f2', record('f2', 'other', 60_000)],
  ]);
  const [told] = work.records(ids, tasks, () => true);
  expect(told).toMatchObject({
    name: 'run-1',
    firings: [{ taskId: 'f1', occurrenceMs: 60_000, settled: true }],
  });
  expect(told!.madeMs).toBeGreaterThanOrEqual(told!.askedMs);
  expect(told!.goneMs).toBeGreaterThanOrEqual(told!.dueToMs);
  expect(await work.takeAway()).toEqual([]);
});

test('one whose instant has passed when it is there is followed by another', async () => {
  let late = true;
  const { work, asked } = scheduled({ once: 1, everyMinute: 0 }, ({ path, body }) => {
    if (path !== '/v1/schedules') return path.startsWith('/v1/tasks') ? page([]) : ok();
    const atMs = Date.parse(`${(body as { at: string }).at}Z`);
    if (!late) return { status: 201, body: {} };
    // Nobody answers until it is too late, and then it is past.
    if (Date.now() <= atMs) return undefined;
    late = false;
    return { status: 400, body: { code: 'badSchedule' } };
  });
  await work.prepare();
  const names = new Set(asked.map(({ body }) => (body as { name: string }).name));
  expect([...names]).toEqual(['run-1', 'run-2']);
  await work.finish(1_000);
  const [first, second] = work.records([], new Map(), () => true);
  expect(first!.madeMs).toBeGreaterThanOrEqual(first!.onceMs!);
  expect(second!.madeMs).toBeLessThan(second!.onceMs!);
  expect(second!.dueToMs).toBeGreaterThanOrEqual(second!.onceMs!);
});

test('one that is refused is no work for a run', async () => {
  const refusal = { status: 403, body: { code: 'forbidden' } };
  const { work } = scheduled({ once: 0, everyMinute: 1 }, () => refusal);
  await expect(work.prepare()).rejects.toThrow('schedule run-1 is refused: {"code":"forbidden"}');
});

test('what a run that was cut short has made is taken away', async () => {
  const { work, asked } = scheduled({ once: 0, everyMinute: 2 }, () => ok());
  await work.prepare();
  expect(await work.takeAway()).toEqual([]);
  const paths = asked.map(({ path }) => path).filter(path => path.endsWith('/delete'));
  expect(paths.toSorted()).toEqual(['/v1/schedules/run-1/delete', '/v1/schedules/run-2/delete']);
});
