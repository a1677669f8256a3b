/**
 * Taking hold of real tasks on real nodes: a tree of processes stands still and goes on, also over
 * a restart of its node; placement is paused; a running cap is changed; a template makes a task.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TaskView } from '../../src/model/task.ts';
import { RealCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const timeout = 180_000;
let cluster: RealCluster;

beforeAll(async () => {
  cluster = await RealCluster.start({ nodes: 1, shards: 2 });
}, timeout);
afterAll(async () => cluster.end());

const view = (id: string): Promise<TaskView> => cluster.get<TaskView>(`/v1/tasks/${id}`);
const becomes = (id: string, what: string, holds: (task: TaskView) => boolean): Promise<TaskView> =>
  until(
    `task ${id} ${what}`,
    async () => {
      const task = await view(id);
      return holds(task) ? task : undefined;
    },
    60_000,
  );
const stands = (task: TaskView): boolean => task.attempts.at(-1)?.suspended === true;

/** How many beats each process of the task has written, children too. */
const beats = (name: string): number[] =>
  ['parent', 'child', 'daemon'].map(who => {
    try {
      return readFileSync(join(cluster.dir, `${name}.${who}`), 'utf8').length;
    } catch {
      // Not begun yet.
      return 0;
    }
  });

/** A shell with a child and a daemon of its own session, all of which beat until the task ends. */
const beating = (name: string): string[] => {
  const beat = (who: string): string =>
    `while :; do printf x >> ${join(cluster.dir, name)}.${who}; sleep 0.05; done`;
  const script = `(${beat('child')}) & setsid sh -c '${beat('daemon')}' & ${beat('parent')}`;
  // On a slow machine a node takes longer to come back than a lease is by default.
  const patience = ['--lost-after', '10m'];
  return ['submit', '-q', '--name', name, ...patience, '--', 'sh', '-c', script];
};

const isStill = async (name: string): Promise<void> => {
  const before = beats(name);
  // Time enough for many beats of each: nothing to wait for happens.
  const end = Date.now() + 1_000;
  await until('a second is over', () => Date.now() >= end);
  expect(beats(name)).toEqual(before);
};

const beatsOn = async (name: string): Promise<void> => {
  const before = beats(name);
  await until(
    'all of it beats',
    () => beats(name).every((count, at) => count > before[at]!),
    30_000,
  );
};

test('a suspended tree stands still, over a restart of its node, and goes on', {
  timeout,
}, async () => {
  const id = await cluster.ok(beating('tree'));
  await becomes(id, 'runs', task => task.state === 'running');
  await beatsOn('tree');
  await cluster.ok(['pause', id, '--suspend']);
  await becomes(id, 'stands still', stands);
  await isStill('tree');
  const [node] = cluster.nodes;
  await node!.kill();
  await node!.start();
  await cluster.untilLed();
  await isStill('tree');
  expect(stands(await view(id))).toBe(true);
  await cluster.ok(['resume', id]);
  await beatsOn('tree');
  expect(await view(id)).toMatchObject({ state: 'running', lost: 0 });
  expect((await view(id)).attempts).toHaveLength(1);
  await cluster.ok(['pause', id, '--suspend']);
  await becomes(id, 'stands still again', stands);
  await cluster.ok(['cancel', id]);
  await becomes(id, 'is cancelled', task => task.state === 'cancelled');
  const left = readdirSync('/proc').filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${cluster.dir}/tree`);
    } catch {
      // No process, or gone meanwhile.
      return false;
    }
  });
  expect(left).toEqual([]);
});

test('a paused cluster takes tasks and places none until it is resumed', { timeout }, async () => {
  await cluster.ok(['pause', 'cluster', '--reason', 'maintenance']);
  const id = await cluster.ok(['submit', '-q', '--', 'true']);
  const planned = JSON.parse(await cluster.ok(['plan', '--json', '--', 'true']));
  expect(planned).toMatchObject({ plans: [{ verdict: 'waits', reason: 'Paused' }] });
  expect(await view(id)).toMatchObject({ state: 'waiting', reason: 'Paused' });
  expect(await cluster.ok(['explain', id])).toContain('paused');
  await cluster.ok(['resume', 'cluster']);
  await becomes(id, 'runs', task => task.state === 'succeeded');
});

test('a paused tenant and a paused workflow start nothing until they are resumed', {
  timeout,
}, async () => {
  await cluster.ok(['pause', 'tenant', 'default']);
  const id = await cluster.ok(['submit', '-q', '--', 'true']);
  expect(await view(id)).toMatchObject({ state: 'waiting', reason: 'Paused' });
  const file = join(cluster.dir, 'two.yaml');
  await writeFile(
    file,
    'tasks:\n  - { name: a, command: [echo] }\n  - { name: b, after: a, command: [echo] }\n',
  );
  const workflow = await cluster.ok(['submit', '-q', '-f', file]);
  await cluster.ok(['pause', 'workflow', workflow]);
  await cluster.ok(['resume', 'tenant', 'default']);
  await becomes(id, 'runs', task => task.state === 'succeeded');
  const [first] = (await cluster.get<{ tasks: TaskView[] }>(`/v1/workflows/${workflow}`)).tasks;
  expect(await view(first!.id)).toMatchObject({ state: 'waiting', reason: 'Paused' });
  await cluster.ok(['resume', 'workflow', workflow]);
  await cluster.ok(['wait', workflow]);
});

test('priority and tolerance of a task that waits change its bound, its class, what is told', {
  timeout,
}, async () => {
  await cluster.ok(['pause', 'cluster']);
  const id = await cluster.ok(['submit', '-q', '--tolerance', '2h', '--', 'true']);
  const before = await view(id);
  expect(before).toMatchObject({ class: 'delayable' });
  await cluster.ok(['update', id, '--tolerance', '50s', '--priority', 'high']);
  const after = await view(id);
  expect(after).toMatchObject({
    class: 'urgent',
    priority: 'high',
    startBoundMs: before.startBoundMs! - 7_200_000 + 50_000,
    updated: { by: 'admin', set: { tolerance: '50s', priority: 'high' } },
  });
  const explained = JSON.parse(await cluster.ok(['explain', id, '--json']));
  expect(explained).toMatchObject({ class: 'urgent', priority: 'high' });
  expect(JSON.stringify(explained.decisions)).toContain('updated');
  const wrong = await cluster.run(['update', id, '--tolerance=-5m'], cluster.any);
  expect(wrong.code).toBe(2);
  await cluster.ok(['resume', 'cluster']);
  await becomes(id, 'runs', task => task.state === 'succeeded');
  const late = await cluster.run(['update', id, '--priority', 'low'], cluster.any);
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('settled')]);
});

test('a cap that is changed while a task runs ends it', { timeout }, async () => {
  const id = await cluster.ok(['submit', '-q', '--cap', '10m', '--', 'sleep', '600']);
  await becomes(id, 'runs', task => task.state === 'running');
  await cluster.ok(['update', id, '--cap', '100ms']);
  const task = await becomes(id, 'is ended', one => one.state === 'failed');
  expect(task.outcome?.kind).toBe('timedOut');
  expect(task.updated).toMatchObject({ set: { cap: '100ms' } });
});

test('a template makes a task whose arguments are just what was given', { timeout }, async () => {
  const file = join(cluster.dir, 'hello.yaml');
  const lines = ['parameters: { who: string }', 'task:', '  command: [printf, "<%s>", "${who}"]'];
  await writeFile(file, `${lines.join('\n')}\n`);
  await cluster.ok(['template', 'create', 'hello', '-f', file]);
  const set = 'who="; $(id) ${who} \'';
  const id = await cluster.ok(['template', 'run', 'hello', '--set', set, '--wait', '-q']);
  const task = await view(id);
  expect(task).toMatchObject({ state: 'succeeded', template: 'hello@1' });
  expect(task.outcome?.tail).toBe(`<${set.slice(4)}>`);
  const [change, daily] = [
    ['template', 'update', 'hello', '-f', file],
    ['--every', 'daily'],
  ];
  await cluster.ok([
    'schedule',
    'create',
    'greeting',
    ...daily,
    '--template',
    'hello',
    '--set',
    set,
  ]);
  await writeFile(file, 'task: { command: [printf, "changed"] }\n');
  await cluster.ok(change);
  const fired = await cluster.ok(['schedule', 'trigger', 'greeting', '-q']);
  const made = await becomes(fired, 'has run', one => one.state === 'succeeded');
  expect([made.template, made.outcome?.tail]).toEqual(['hello@1', task.outcome?.tail]);
  const step = ['workflow: w', 'tasks:', '  - { name: a, template: hello }'];
  await writeFile(file, `${step.join('\n')}\n`);
  await cluster.ok(['submit', '-f', file, '--wait']);
});
