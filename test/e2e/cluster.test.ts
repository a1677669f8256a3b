/**
 * A cluster of three real nodes through its life: growing while it holds tasks, answering at any
 * node while another is dead, and everything that a person does to a task. The tests follow one
 * another on one cluster; each leaves it whole.
 */
import { readFileSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { RealCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { processesOfTask } from '../support/real-processes.ts';
import { until } from '../support/until.ts';

const shards = 16;

function flags(number: number): string[] {
  return [
    ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'],
    ...['--cpu', '4', '--label', `node=n${number}`],
  ];
}

let cluster: RealCluster;

/** A test on the cluster; prints what the nodes said where it fails. */
function scenario(name: string, body: () => Promise<void>, limitMs = 60_000): void {
  test(
    name,
    async () => {
      onTestFailed(() => console.error(cluster.tails()));
      await body();
    },
    limitMs,
  );
}

const submit = async (args: readonly string[], at?: RealNode): Promise<string> =>
  cluster.ok(['submit', '-q', ...args], at ?? cluster.any);

const submitOn = (node: string, args: readonly string[], at?: RealNode): Promise<string> =>
  submit(['--require', `node=${node}`, ...args], at);

const otherThan = (node: RealNode): RealNode[] => cluster.alive.filter(one => one !== node);

const waitExit = async (args: readonly string[], at?: RealNode): Promise<number | null> =>
  (await cluster.run(['wait', ...args], at ?? cluster.any)).code;

beforeAll(async () => {
  cluster = await RealCluster.start({ nodes: 1, shards, flags });
});

afterAll(async () => cluster.end());

test('the process of a node is the one that was started, set up for little memory', () => {
  const pid = cluster.alive[0]!.pid;
  const read = (name: string): string[] => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0');
  const [, young, old, collect, , ...args] = read('cmdline');
  expect([young, old]).toEqual(['--max-semi-space-size=8', '--heap-growing-percent=70']);
  expect(collect).toBe('--expose-gc');
  expect(args.slice(0, 2)).toEqual(['node', 'start']);
  expect(read('environ')).toContain('MALLOC_ARENA_MAX=2');
});

describe('growing', () => {
  scenario(
    'one node, then two, then three carry on the tasks that the first one holds',
    async () => {
      const marker = join(cluster.dir, 'grown');
      const script = `echo $TSCHED_TASK_ID >> ${marker}`;
      const quick = await submit(['--array', '1-30', '--cpu', '0.5', '--', 'sh', '-c', script]);
      const held = await submit([
        ...['--array', '1-6', '--cpu', '2'],
        ...['--', 'sh', '-c', `while [ ! -e ${marker}.go ]; do sleep 0.1; done; ${script}`],
      ]);
      const ids = [...quick.split('\n'), ...held.split('\n')];
      expect(ids).toHaveLength(36);

      await cluster.addNode();
      await cluster.untilWhole(20_000);
      const two = await cluster.shards();
      expect(two.every(shard => shard.voters.length === 1 && shard.learners.length === 1)).toBe(
        true,
      );

      await cluster.addNode();
      await cluster.untilWhole(20_000);
      const three = await cluster.shards();
      expect(three.every(shard => shard.voters.length === 3)).toBe(true);

      await appendFile(`${marker}.go`, '');
      for (const id of ids) expect((await cluster.untilSettled(id)).state).toBe('succeeded');
      const ran = (await readFile(marker, 'utf8')).trim().split('\n');
      expect(ran.toSorted()).toEqual(ids.toSorted());
    },
  );

  scenario('leaders spread over the nodes', async () => {
    await until('each node leads about a third of the shards', async () => {
      const led = (await cluster.shards()).map(shard => shard.leader);
      return cluster.nodes.every(node => led.filter(name => name === node.name).length >= 4);
    });
  });
});

describe('a dead node', () => {
  scenario('any two of three nodes take tasks, at either of them', async () => {
    for (const dead of cluster.nodes) {
      await dead.kill();
      const ids: string[] = [];
      for (const node of otherThan(dead)) {
        const { code, stdout, stderr, ms } = await cluster.run(
          ['submit', '-q', '--', 'true'],
          node,
        );
        expect({ code, stderr }, `submit at ${node.name} without ${dead.name}`).toEqual({
          code: 0,
          stderr: '',
        });
        expect(ms).toBeLessThan(10_000);
        ids.push(stdout.trim());
      }
      for (const id of ids) expect((await cluster.untilSettled(id)).state).toBe('succeeded');
      await dead.start();
      await cluster.untilWhole();
    }
  });

  scenario('without a majority a submit says so within 5 s, and works again after', async () => {
    const [first, second, survivor] = cluster.nodes as [RealNode, RealNode, RealNode];
    await first.kill();
    await second.kill();
    const { ms: startMs } = await cluster.run(['--version'], survivor);
    const refused = await cluster.run(['submit', '-q', '--', 'true'], survivor);
    expect([6, 8], refused.stderr).toContain(refused.code);
    // Within 5 s; the start of the CLI on a busy machine comes on top.
    expect(refused.ms).toBeLessThan(5_000 + Math.max(2_000, 3 * startMs));
    expect(refused.stderr).toMatch(/^error: /);
    await first.start();
    const id = await until('a submit is accepted again', async () => {
      const { code, stdout } = await cluster.run(['submit', '-q', '--', 'true'], survivor);
      return code === 0 ? stdout.trim() : undefined;
    });
    expect((await cluster.untilSettled(id)).state).toBe('succeeded');
    await second.start();
    await cluster.untilWhole();
  });

  scenario('all nodes may be killed at once and find each other again', async () => {
    const id = await submit(['--', 'true']);
    await Promise.all(cluster.nodes.map(node => node.kill()));
    for (const node of cluster.nodes) node.launch();
    for (const node of cluster.nodes) await node.untilReady();
    await cluster.untilWhole();
    expect((await cluster.untilSettled(id)).state).toBe('succeeded');
  });
});

describe('a restarted node', () => {
  scenario('takes up what still runs and reports what ended meanwhile', async () => {
    const node = cluster.node('n2');
    const go = join(cluster.dir, 'adopt.go');
    const runs = join(cluster.dir, 'adopt.runs');
    const script = (after: string) => [
      ...['--', 'sh', '-c'],
      `echo $TSCHED_TASK_ID $TSCHED_ATTEMPT >> ${runs}; while [ ! -e ${after} ]; do sleep 0.05; done`,
    ];
    const later = await submitOn('n2', script(`${go}.later`));
    const meanwhile = await submitOn('n2', script(go));
    await cluster.untilState(later, 'running');
    await cluster.untilState(meanwhile, 'running');
    await node.kill();
    await appendFile(go, '');
    await until('the task ends while its node is dead', () => {
      return processesOfTask(meanwhile).length === 0;
    });
    expect(processesOfTask(later)).not.toHaveLength(0);
    await node.start();
    const ended = await cluster.untilSettled(meanwhile);
    expect(ended).toMatchObject({ state: 'succeeded', lost: 0 });
    expect((await cluster.task(later)).state).toBe('running');
    await appendFile(`${go}.later`, '');
    const adopted = await cluster.untilSettled(later);
    expect(adopted).toMatchObject({ state: 'succeeded', lost: 0 });
    expect(adopted.attempts).toHaveLength(1);
    const lines = (await readFile(runs, 'utf8')).trim().split('\n').toSorted();
    expect(lines).toEqual([`${later} 1`, `${meanwhile} 1`].toSorted());
    await cluster.untilWhole();
  });

  scenario('was stopped in order: it ends with code 0 and its task goes on elsewhere', async () => {
    const node = cluster.node('n3');
    const id = await submitOn('n3', ['--', 'sleep', '2']);
    await cluster.untilState(id, 'running');
    await cluster.ok(['node', 'stop', 'n3'], cluster.node('n1'));
    expect(await node.exited()).toBe(0);
    const quick = await submit(['--', 'true'], cluster.node('n2'));
    expect((await cluster.untilSettled(quick)).state).toBe('succeeded');
    await node.start();
    expect(await cluster.untilSettled(id)).toMatchObject({ state: 'succeeded', lost: 0 });
    await cluster.untilWhole();
  });

  scenario('whose tasks were to end with it: they run again on another node', async () => {
    const node = cluster.node('n1');
    const place = join(cluster.dir, 'place');
    const script = `echo $TSCHED_NODE >> ${place}; [ $TSCHED_NODE != n1 ] || sleep 60`;
    const id = await until('a task runs on n1', async () => {
      const next = await submit(['--lost-after', '5s', '--', 'sh', '-c', script], node);
      const reached = await cluster.untilSettledOrOn(next, 'n1');
      return reached.state === 'running' ? next : undefined;
    });
    await cluster.ok(['node', 'stop', 'n1', '--end-tasks'], cluster.node('n2'));
    expect(await node.exited()).toBe(0);
    expect(await cluster.untilSettled(id)).toMatchObject({ state: 'succeeded', lost: 1 });
    await node.start();
    await cluster.untilWhole();
  });
});

describe('tasks', () => {
  scenario('a cancelled task is ended with everything it started', async () => {
    const script = 'setsid sh -c "sleep 300 & sleep 300" & setsid sleep 300 & sleep 300';
    const id = await submit(['--grace', '1s', '--', 'sh', '-c', script]);
    await until('all its processes run', () => processesOfTask(id).length >= 5);
    await cluster.ok(['cancel', id, '--reason', 'not needed'], cluster.node('n2'));
    const task = await cluster.untilSettled(id);
    expect(task).toMatchObject({ state: 'cancelled', outcome: { kind: 'cancelled' } });
    expect(processesOfTask(id)).toHaveLength(0);
    expect(await waitExit([id])).toBe(4);
    const again = await cluster.run(['cancel', id], cluster.any);
    expect(again.code, again.stderr).toBe(1);
  });

  scenario('logs are followed from another node until the task has ended', async () => {
    const go = join(cluster.dir, 'logs.go');
    const script = `echo one; while [ ! -e ${go} ]; do sleep 0.05; done; echo two; echo err >&2`;
    const id = await submitOn('n3', ['--', 'sh', '-c', script]);
    const follow = cluster.startCli(['logs', id, '-f'], cluster.node('n1'));
    await until('the first line is followed', () => follow.stdout().includes('one'));
    await appendFile(go, '');
    const { code, stdout } = await follow.done;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'one\ntwo\n' });
    expect(await cluster.ok(['logs', id, '--stderr'], cluster.node('n2'))).toBe('err');
  });

  scenario('a run that fails is followed by another one on another node', async () => {
    const script = 'echo run $TSCHED_RUN; [ $TSCHED_RUN -ge 3 ]';
    const id = await submit(['--attempts', '3', '--backoff', '100ms', '--', 'sh', '-c', script]);
    const task = await cluster.untilSettled(id);
    expect(task).toMatchObject({ state: 'succeeded', runs: 3 });
    const nodes = task.attempts.map(attempt => attempt.nodeName);
    expect(new Set(nodes).size).toBe(3);
    expect(task.attempts.map(attempt => attempt.outcome?.kind)).toEqual([
      'failed',
      'failed',
      'succeeded',
    ]);
    const second = task.attempts[1]?.attempt;
    expect(await cluster.ok(['logs', id, '--attempt', String(second)])).toBe('run 2');
  });

  scenario('one that failed for good can be run again as a new task', async () => {
    const flag = join(cluster.dir, 'retry.flag');
    const id = await submit(['--', 'test', '-e', flag]);
    expect(await cluster.untilSettled(id)).toMatchObject({
      state: 'failed',
      outcome: { kind: 'failed', exitCode: 1 },
    });
    await appendFile(flag, '');
    const retried = await cluster.ok(['retry', id, '-q']);
    expect(await cluster.untilSettled(retried)).toMatchObject({ state: 'succeeded', retryOf: id });
    expect((await cluster.task(id)).state).toBe('failed');
  });

  scenario('an attempt over its cap is ended', async () => {
    const id = await submit(['--cap', '1s', '--grace', '500ms', '--', 'sleep', '60']);
    expect(await cluster.untilSettled(id)).toMatchObject({
      state: 'failed',
      outcome: { kind: 'timedOut' },
    });
    expect(processesOfTask(id)).toHaveLength(0);
  });

  scenario('an array runs once for each of its indices', async () => {
    const file = join(cluster.dir, 'array');
    const script = `echo $TSCHED_ARRAY_INDEX >> ${file}`;
    const ids = (await submit(['--array', '5-24', '--', 'sh', '-c', script])).split('\n');
    expect(ids).toHaveLength(20);
    for (const id of ids) await cluster.untilSettled(id);
    const indices = (await readFile(file, 'utf8')).trim().split('\n').map(Number);
    expect(indices.toSorted((left, right) => left - right)).toEqual(
      Array.from({ length: 20 }, (_, place) => place + 5),
    );
  });

  scenario('a submit with the same key is the same task, at any node', async () => {
    const args = ['--idempotency-key', 'nightly 2024-01-01', '--', 'echo', 'once'];
    const first = await submit(args, cluster.node('n1'));
    expect(await submit(args, cluster.node('n2'))).toBe(first);
    const other = await cluster.run(
      ['submit', '--idempotency-key', 'nightly 2024-01-01', '--', 'echo', 'twice'],
      cluster.node('n3'),
    );
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/key/);
  });

  scenario('the exit code of wait tells how tasks ended', async () => {
    const good = await submit(['--', 'true']);
    const bad = await submit(['--', 'sh', '-c', 'exit 7']);
    const open = await submit(['--cap', '1m', '--', 'sleep', '50']);
    expect(await waitExit([good])).toBe(0);
    expect(await waitExit([bad])).toBe(3);
    expect(await waitExit([good, bad])).toBe(3);
    expect(await waitExit([bad, open, '--timeout', '1s'])).toBe(5);
    await cluster.ok(['cancel', open]);
    expect(await waitExit([open])).toBe(4);
    expect(await waitExit([open, bad])).toBe(3);
    expect(await waitExit(['0000000000zzzzzzzzzz'])).toBe(1);
    const waited = await cluster.run(['submit', '--wait', '--', 'false'], cluster.any);
    expect(waited.code).toBe(3);
  });

  scenario('a task holds no file of its node open', async () => {
    const id = await submit(['--', 'sh', '-c', 'for f in /proc/$$/fd/*; do readlink $f; done']);
    await cluster.untilSettled(id);
    const files = (await cluster.ok(['logs', id])).split('\n');
    expect(
      files.filter(file => !/^\/dev\/null$|\/attempts\/[^/]+\/std(out|err)$/.test(file)),
    ).toEqual([]);
    expect(files).toHaveLength(3);
  });

  scenario('a script travels with its task', async () => {
    const script = join(cluster.dir, 'job.sh');
    await appendFile(script, '#!/bin/sh\necho "$# $1 $TSCHED_NODE"\n', { mode: 0o755 });
    const id = await submitOn('n2', [script, 'first']);
    await cluster.untilSettled(id);
    expect(await cluster.ok(['logs', id], cluster.node('n3'))).toBe('1 first n2');
  });
});
