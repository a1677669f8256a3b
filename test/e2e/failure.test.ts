/**
 * What users see of failure and order, with real nodes and processes: tasks of a key in their order
 * although the leader is killed, causes that are run again and those that are not, dead letters,
 * poison, and how many of a key run at a time.
 * The rest is in the tests of the shard and in simulation.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RealCluster, type TaskRow, withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const limitMs = 240_000;
/** Every shard decides by the new rules once each node was heard to read them. */
const untilAdopted = (cluster: RealCluster) =>
  until('the cluster has version 3', async () => {
    const { clusterVersion } = await cluster.get<{ clusterVersion: number }>('/v1/cluster/health');
    return clusterVersion >= 3 ? true : undefined;
  });

/** Each shard adopts the rules by itself, a little later: before, what failed is no dead letter. */
async function untilAllKeepDeadLetters(cluster: RealCluster, shards: number): Promise<void> {
  const keep = new Set<number>();
  await until('every shard keeps dead letters', async () => {
    const id = await cluster.ok(['submit', '-q', '--', 'false']);
    const { shard } = await cluster.untilSettled(id);
    if ((await cluster.ok(['dlq', 'list', '-q'])).includes(id)) keep.add(shard);
    return keep.size === shards;
  });
  await cluster.ok(['dlq', 'purge', '--all']);
}

test(
  'tasks of a key run one at a time, in order, although the node that leads them is killed',
  async () => {
    await withCluster({ nodes: 3, shards: 4 }, async cluster => {
      await untilAdopted(cluster);
      const file = join(cluster.dir, 'lines');
      const ids: string[] = [];
      for (let number = 0; number < 24; number++) {
        const script = `echo begin ${number} >> ${file}; sleep 0.1; echo end ${number} >> ${file}`;
        ids.push(await cluster.ok(['submit', '-q', '--order-key', 'k', '--', 'sh', '-c', script]));
        if (number !== 8) continue;
        const { shard } = await cluster.task(ids[0]!);
        const row = (await cluster.shards()).find(one => one.shard === shard);
        const leader = cluster.node(row!.leader!);
        await leader.kill();
        await cluster.untilLed();
        await leader.start();
      }
      const rows: TaskRow[] = [];
      for (const id of ids) rows.push(await cluster.untilSettled(id, limitMs / 2));
      expect(rows.map(row => row.state)).toEqual(rows.map(() => 'succeeded'));
      const lines = (await readFile(file, 'utf8')).trim().split('\n');
      // An attempt that was lost may have begun; what was begun again is the same task.
      const order = lines.filter((line, at) => line !== lines[at - 1]).map(line => line.split(' '));
      let last = -1;
      for (const [what, number] of order) {
        const expected = what === 'begin' ? [last, last + 1] : [last];
        expect(expected, lines.join()).toContain(Number(number));
        last = Number(number);
      }
      expect(last).toBe(23);
    });
  },
  limitMs,
);

/** A task under which two supervisors end is no more tried, and another one runs on. */
async function isGivenUpAsPoison(cluster: RealCluster): Promise<void> {
  const deadly = await cluster.ok(['submit', '-q', '--attempts', '9', '--', 'sleep', '600']);
  for (let turn = 1; turn <= 2; turn++) {
    await until(`it runs for time ${turn}`, async () => {
      const { state, attempts } = await cluster.task(deadly);
      return state === 'running' && attempts.length === turn;
    });
    process.kill(cluster.nodes[0]!.supervisor!, 'SIGKILL');
  }
  const ended = await cluster.untilSettled(deadly);
  expect(ended).toMatchObject({ state: 'failed', runs: 0, lost: 2 });
  expect(ended.reason).toContain('ended under it 2 times');
  expect(await cluster.ok(['dlq', 'list', '-q'])).toBe(deadly);
  await cluster.ok(['submit', '--wait', '--', 'true']);
}

/** Also where a template says so, and as many as may run do. */
async function runsAtMostTwoOfAKey(cluster: RealCluster): Promise<void> {
  const [book, file] = [join(cluster.dir, 'book'), join(cluster.dir, 'template.yaml')];
  const script = `echo + >> ${book}; sleep 0.3; echo - >> ${book}`;
  const task = { command: ['sh', '-c', script], maxRunningPer: { db: 2 } };
  await writeFile(file, JSON.stringify({ task }));
  await cluster.ok(['template', 'create', 'query', '-f', file]);
  const ids = [await cluster.ok(['template', 'run', 'query', '-q', '--array', '1-4'])];
  const own = ['submit', '-q', '--array', '1-3', '--max-running-per', 'db=2'];
  ids.push(await cluster.ok([...own, '--', 'sh', '-c', script]));
  for (const id of ids.flatMap(text => text.split('\n'))) {
    expect(await cluster.untilSettled(id)).toMatchObject({ state: 'succeeded' });
  }
  let running = 0;
  const counts = (await readFile(book, 'utf8'))
    .trim()
    .split('\n')
    .map(line => {
      running += line === '+' ? 1 : -1;
      return running;
    });
  expect([counts.length, Math.max(...counts)]).toEqual([14, 2]);
}

test(
  'causes decide what is run again, and what failed is listed, replayed and purged',
  async () => {
    await withCluster({ nodes: 1, shards: 2 }, async cluster => {
      await untilAdopted(cluster);
      await untilAllKeepDeadLetters(cluster, 2);
      const submit = (...args: string[]) =>
        cluster.ok(['submit', '-q', '--attempts', '3', '--backoff', '10ms', ...args]);
      const retried = await submit('--retry-on', '75,SIGTERM', '--', 'sh', '-c', 'exit 75');
      const refused = await submit('--retry-on', '75,SIGTERM', '--', 'sh', '-c', 'exit 76');
      const killed = await submit('--no-retry-on', 'TERM', '--', 'sh', '-c', 'kill -TERM $$');
      expect(await cluster.untilSettled(retried)).toMatchObject({ state: 'failed', runs: 3 });
      expect(await cluster.untilSettled(refused)).toMatchObject({ state: 'failed', runs: 1 });
      expect(await cluster.untilSettled(killed)).toMatchObject({ state: 'failed', runs: 1 });

      const listed = (await cluster.ok(['dlq', 'list', '-q'])).split('\n').sort();
      expect(listed).toEqual([retried, refused, killed].sort());
      expect(await cluster.ok(['dlq', 'show', refused])).toContain('none of 75, SIGTERM');
      const [replayed] = (await cluster.ok(['dlq', 'replay', '-q', refused])).split('\n');
      expect(await cluster.untilSettled(replayed!)).toMatchObject({ retryOf: refused, runs: 1 });
      expect((await cluster.run(['dlq', 'replay', refused], cluster.any)).code).toBe(1);
      await cluster.ok(['dlq', 'purge', '--all']);
      expect(await cluster.ok(['dlq', 'list'])).toBe('no dead letters');
      await isGivenUpAsPoison(cluster);
      await runsAtMostTwoOfAKey(cluster);
    });
  },
  limitMs,
);
