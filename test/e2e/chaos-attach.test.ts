/**
 * `tsched chaos run --attach` as an operator uses it: on a cluster that runs, with tasks of its
 * own. First nothing is done; then it is broken, and whole again afterwards.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFailed, test } from 'vitest';
import { plainEnv, startProgram } from '../support/program.ts';
import { type RealCluster, type TaskRow, withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const limitMs = 240_000;
const consent = '--i-understand-that-this-cluster-will-be-broken';
const scenario = (workS: number): string => `name: mine
workload: { rate: 20, for: ${workS}s }
faults:
  - { at: 2s, for: 2s, kind: kill, target: leader }
  - { at: 8s, for: 3s, kind: pause, target: random }
`;

async function prepare(cluster: RealCluster, workS: number): Promise<string> {
  const file = join(cluster.dir, 'mine.yaml');
  await writeFile(file, scenario(workS));
  await mkdir(join(cluster.dir, 'tmp'), { recursive: true });
  return file;
}

function chaos(cluster: RealCluster, file: string, ...args: string[]) {
  const attach = cluster.nodes.flatMap(node => ['--attach', node.dir]);
  const env = { ...plainEnv(cluster.configDir), TMPDIR: join(cluster.dir, 'tmp') };
  const program = startProgram(['chaos', 'run', file, ...attach, ...args], { env, limitMs });
  onTestFailed(() => console.error(program.stdout(), program.stderr()));
  return program;
}

interface NodeRow {
  readonly name: string;
  readonly state: string;
  readonly bootCount: number;
}

/** Of a node that may have been started again by somebody else, by what it wrote itself. */
async function ask<T>(
  cluster: RealCluster,
  place: number,
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<T> {
  const file = join(cluster.nodes[place]!.dir, 'http.address');
  const address = (await readFile(file, 'utf8')).trim();
  const answer = await fetch(`http://${address}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${cluster.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.ok).toBe(true);
  return (await answer.json()) as T;
}

/** What a run has left in its temporary directory, where Node keeps compiled programs too. */
const leftIn = async (cluster: RealCluster): Promise<string[]> =>
  (await readdir(join(cluster.dir, 'tmp'))).filter(name => name.startsWith('tsched'));

/** Also the node that was started again, of which the cluster of this test knows nothing. */
async function stopAll(cluster: RealCluster): Promise<void> {
  for (const place of cluster.nodes.keys()) {
    await ask(cluster, place, '/v1/nodes/self/stop', { endTasks: true });
  }
  onTestFailed(() => console.error(cluster.tails()));
  const gone = async (): Promise<boolean> => {
    const files = await Promise.all(cluster.nodes.map(node => readdir(node.dir)));
    return !files.some(names => names.includes('http.address'));
  };
  await until('every node has ended', gone, 60_000);
}

const boots = async (cluster: RealCluster): Promise<number[]> => {
  const rows = cluster.nodes.map((_, place) => ask<NodeRow>(cluster, place, '/v1/nodes/self'));
  return (await Promise.all(rows)).map(row => row.bootCount);
};

test(
  'a cluster that runs is broken, is whole again afterwards, and its own tasks are as they were',
  async () => {
    await withCluster({ nodes: 3, shards: 8 }, async cluster => {
      const file = await prepare(cluster, 15);
      await cluster.ok(['submit', '--wait', '--', 'echo', 'before']);
      const own = (await cluster.ok(['list', '-q'])).trim();
      const before = await cluster.task(own);
      const bootsBefore = await boots(cluster);

      const dry = await chaos(cluster, file).done;
      expect([dry.code, dry.stdout]).toEqual([2, expect.stringContaining('nothing was done')]);
      for (const node of cluster.nodes) expect(dry.stdout).toContain(` ${node.pid} `);
      expect(dry.stdout).not.toContain(await cluster.joinToken());
      expect(await boots(cluster)).toEqual(bootsBefore);
      expect((await cluster.ok(['list', '-q'])).trim()).toBe(own);

      const { code, stdout } = await chaos(cluster, file, consent, '--json').done;
      const report = JSON.parse(stdout) as { checks: { ok: boolean; promise: string }[] };
      expect(report.checks.filter(check => !check.ok)).toEqual([]);
      expect(report).toMatchObject({
        ...{ verdict: 'green', nodes: 3, shards: 8 },
        faults: [{ kind: 'kill' }, { kind: 'pause' }],
      });
      expect(code).toBe(0);

      const bootsAfter = await boots(cluster);
      const added = bootsAfter.map((count, place) => count - bootsBefore[place]!);
      expect(added.toSorted()).toEqual([0, 0, 1]);
      expect(await ask(cluster, 0, '/v1/cluster/health')).toMatchObject({ ok: true, nodesUp: 3 });
      for (const place of [0, 1, 2]) {
        expect(await ask<TaskRow>(cluster, place, `/v1/tasks/${own}`)).toEqual(before);
      }
      expect(await leftIn(cluster)).toEqual([]);
      expect(await ask(cluster, 0, '/v1/schedules')).toMatchObject({ schedules: [] });
      await stopAll(cluster);
    });
  },
  limitMs,
);

test.runIf(process.env['TSCHED_E2E'] === 'full')(
  'a run that is interrupted while a node is down starts it again',
  async () => {
    await withCluster({ nodes: 3, shards: 8 }, async cluster => {
      const program = chaos(cluster, await prepare(cluster, 15), consent);
      await until('a node is down', () => cluster.alive.length === 2, 60_000);
      program.child.kill('SIGINT');
      expect((await program.done).code).toBe(130);
      expect(program.stderr()).toContain('every node runs that ran before');
      expect(await boots(cluster)).toHaveLength(3);
      expect(await leftIn(cluster)).toEqual([]);
      expect(await ask(cluster, 0, '/v1/schedules')).toMatchObject({ schedules: [] });
      await stopAll(cluster);
    });
  },
  limitMs,
);
