/**
 * A cluster of the program before this one becomes one of this program, node by node, while real
 * scripts work on real files: forward, back and forward again, until all are new and the older one
 * is refused. The older program is built from the history of this repository. `npm run e2e` has
 * more shards and more work, and has nodes of each program send their state to one of the other.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownClusterVersion } from '../../src/model/cluster-version.ts';
import { DigestWatch, untilLevel } from '../support/digest-watch.ts';
import { FileWorkload } from '../support/file-workload.ts';
import { buildProgram, earlierPrograms, whyMissing } from '../support/previous-program.ts';
import { programEntry } from '../support/program.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const size = full
  ? { shards: 32, files: 6_000, paceMs: 40 }
  : { shards: 8, files: 1_500, paceMs: 150 };
const limitMs = full ? 600_000 : 300_000;
const flags = (number: number): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--cpu', '8', '--memory', '4GiB', '--label', `node=n${number}`],
];

const earlier = earlierPrograms.at(-1)!;
const missing = whyMissing(earlier);
if (missing !== undefined) {
  console.warn(`\nSKIPPED: no upgrade is tested, because ${missing}\n`);
}

let old: Awaited<ReturnType<typeof buildProgram>>;

beforeAll(async () => {
  if (missing === undefined) old = await buildProgram(earlier);
}, 300_000);

afterAll(async () => {
  await old?.remove();
});

interface Health {
  readonly ok: boolean;
  /** A node of version 1 does not say it. */
  readonly clusterVersion?: number;
  readonly problems: readonly string[];
}

const isNew = (node: RealNode): boolean => node.program === programEntry;

/** A step whose failure says which it was. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`while ${name}: ${String(error)}`, { cause: error });
  }
}

/** A task that runs on this node until it is let go; it must outlive the node's process. */
async function hold(cluster: RealCluster, node: RealNode): Promise<() => Promise<void>> {
  const go = join(cluster.dir, `${node.name}-${performance.now()}.go`);
  const wait = `while [ ! -e ${go} ]; do sleep 0.1; done`;
  const required = ['--require', `node=${node.name}`, '--lost-after', '60s'];
  const id = await cluster.ok(['submit', '-q', ...required, '--', 'sh', '-c', wait], node);
  await cluster.untilState(id, 'running');
  return async () => {
    expect((await cluster.task(id)).state, `the task that ran on ${node.name}`).toBe('running');
    await writeFile(go, '');
    const task = await cluster.untilSettled(id);
    expect(task, `the task that ran on ${node.name}`).toMatchObject({
      state: 'succeeded',
      lost: 0,
    });
    expect(task.attempts).toHaveLength(1);
  };
}

/** As the guide says: stop, replace the program, start, wait until the cluster is well. */
async function replace(cluster: RealCluster, name: string, program: string): Promise<void> {
  const node = cluster.node(name);
  const release = await hold(cluster, node);
  await cluster.ok(['node', 'stop', name], node);
  expect(await node.exited(), `${name} ends in order`).toBe(0);
  node.program = program;
  await node.start();
  await cluster.untilWhole();
  await release();
}

let keys = 0;

/** Every node leads something, and takes tasks for every shard, whichever program leads it. */
async function serves(cluster: RealCluster): Promise<void> {
  await until(
    'every node leads shards',
    async () => {
      const leaders = new Set((await cluster.shards()).map(({ leader }) => leader));
      return cluster.alive.every(({ name }) => leaders.has(name));
    },
    60_000,
  );
  for (const node of cluster.alive) {
    const shards = new Map<number, string>();
    await until(
      `${node.name} takes a task for every shard`,
      async () => {
        // A key decides the shard; without one a node prefers those that it leads.
        const tasks = Array.from({ length: 2 * size.shards }, () => ({
          command: ['true'],
          cpu: '50m',
          idempotencyKey: `serves ${++keys}`,
        }));
        type Results = { results: { ok: boolean; id: string; shard: number }[] };
        const answer = await cluster.call<Results>(node, 'POST', '/v1/tasks/batch', { tasks });
        for (const { ok, id, shard } of answer.body.results) if (ok) shards.set(shard, id);
        return shards.size === size.shards;
      },
      60_000,
    );
    for (const [shard, id] of shards) {
      const { state } = await step(`shard ${shard} works`, () => cluster.untilSettled(id));
      expect(state).toBe('succeeded');
    }
  }
}

const healthOf = (cluster: RealCluster, node: RealNode): Promise<Health> =>
  cluster.get<Health>('/v1/cluster/health', node);

/** The cluster version is still the old one, and the new nodes say because of whom. */
async function heldBackBy(cluster: RealCluster, ...names: readonly string[]): Promise<void> {
  for (const node of cluster.alive.filter(isNew)) {
    const { clusterVersion, problems } = await healthOf(cluster, node);
    expect(clusterVersion, `cluster version, says ${node.name}`).toBe(earlier.clusterVersion);
    const named = problems.flatMap(
      text => /^node (\S+) holds the cluster version/.exec(text)?.[1] ?? [],
    );
    expect(named.toSorted(), `who holds it back, says ${node.name}`).toEqual(names);
  }
}

/** Both command lines at a node of either program. */
async function speaksWithBoth(cluster: RealCluster): Promise<void> {
  for (const node of cluster.alive) {
    for (const program of [old.entry, programEntry]) {
      const args = ['submit', '--wait', '-q', '--', 'true'];
      const { code, stderr } = await cluster.startCli(args, node, undefined, program).done;
      expect({ code, stderr }, `${program} at ${node.name}`).toMatchObject({ code: 0 });
    }
  }
}

/** The older program is turned away, tells what to do, and has done no harm. */
async function refusesTheOlder(cluster: RealCluster, name: string): Promise<void> {
  const node = cluster.node(name);
  await cluster.ok(['node', 'stop', name], node);
  expect(await node.exited()).toBe(0);
  node.program = old.entry;
  node.launch();
  const code = await node.exited();
  const words = node.tail();
  expect(code, words).toBe(1);
  expect(words).toContain('"code":"programTooOld"');
  expect(words).not.toMatch(/^ready /m);
  await cluster.untilLed();
  node.program = programEntry;
  await node.start();
  await cluster.untilWhole();
}

async function upgrade(cluster: RealCluster): Promise<void> {
  const phase = (name: string, work: () => Promise<void>) =>
    step(name, async () => {
      await work();
      await serves(cluster);
    });
  await phase('all run the older program', async () => undefined);
  await phase('n1 is upgraded', () => replace(cluster, 'n1', programEntry));
  await heldBackBy(cluster, 'n2', 'n3');
  await phase('n2 is upgraded', () => replace(cluster, 'n2', programEntry));
  await step('both command lines are used', () => speaksWithBoth(cluster));
  await heldBackBy(cluster, 'n3');
  await phase('n1 goes back', () => replace(cluster, 'n1', old.entry));
  await heldBackBy(cluster, 'n1', 'n3');
  await phase('n1 is upgraded again', () => replace(cluster, 'n1', programEntry));
  await heldBackBy(cluster, 'n3');
  await phase('n3 is upgraded', () => replace(cluster, 'n3', programEntry));
  await until('the cluster version is raised, on every node', async () => {
    const told = await Promise.all(cluster.alive.map(node => healthOf(cluster, node)));
    return told.every(({ clusterVersion }) => clusterVersion === ownClusterVersion);
  });
  await phase('n2 is started with the older program', () => refusesTheOlder(cluster, 'n2'));
}

test.skipIf(missing !== undefined)(
  `three nodes of cluster version ${earlier.clusterVersion} are upgraded while work goes on`,
  async () => {
    const options = { nodes: 3, shards: size.shards, flags, program: old.entry };
    await withCluster(options, async cluster => {
      const workload = await FileWorkload.make(cluster, {
        tasks: size.files,
        tenths: number => (number % 10 === 0 ? 60 : 1 + (number % 10)),
      });
      const over = new AbortController();
      const digests = new DigestWatch(cluster);
      const watched = digests.watch(over.signal);
      const submitted = workload.submitUntil(over.signal, size.paceMs);
      try {
        // A watch or a workload that ends early is a failure of its own.
        await Promise.race([upgrade(cluster), watched, submitted]);
      } finally {
        over.abort();
        await Promise.allSettled([watched, submitted]);
      }
      await Promise.all([watched, submitted]);
      const rows = await workload.untilSettled(limitMs / 3);
      expect(await workload.faults(rows)).toEqual([]);
      expect(digests.faults).toEqual([]);
      expect(digests.acrossPrograms).toBeGreaterThan(size.shards);
      for (const [shard, of] of await untilLevel(cluster)) {
        expect(of.size, `replicas of shard ${shard}`).toBe(3);
        expect(new Set(of.values()).size, `digests of shard ${shard}: ${[...of]}`).toBe(1);
      }
      console.log(
        `${workload.tasks} files, ${digests.acrossPrograms} states compared across programs`,
      );
    });
  },
  limitMs,
);

const bigTasks = 360;
const bigScript = `#!/bin/sh\nexit 0\n# ${'x'.repeat(195_000)}\n`;

/** More than a log may hold (`limits.logBytesMax`) in commands that change little. */
async function fillLog(cluster: RealCluster): Promise<void> {
  for (let from = 0; from < bigTasks; from += 4) {
    const submits = [0, 1, 2, 3].map(async () => {
      const name = `fills-${++keys}`;
      const task = { script: bigScript, name };
      const { status, body } = await cluster.call(cluster.any, 'POST', '/v1/tasks', task, 60_000);
      expect(status, JSON.stringify(body)).toBe(201);
    });
    await Promise.all(submits);
  }
}

async function snapshotsReceived(cluster: RealCluster, node: RealNode): Promise<number> {
  const response = await fetch(`http://${node.address}/metrics`, {
    headers: { authorization: `Bearer ${cluster.token}` },
  });
  const text = await response.text();
  return Number(/^tsched_snapshots_received_total (\S+)$/m.exec(text)?.[1] ?? 0);
}

/** The node is away for longer than logs reach back, and comes back as this program. */
async function catchUpAs(cluster: RealCluster, name: string, program: string): Promise<void> {
  const node = cluster.node(name);
  await cluster.ok(['node', 'stop', name], node);
  expect(await node.exited()).toBe(0);
  await fillLog(cluster);
  node.program = program;
  await node.start();
  await until(
    `${name} was sent the state`,
    async () => (await snapshotsReceived(cluster, node)) > 0,
    60_000,
  );
  await cluster.untilWhole();
}

test.runIf(full && missing === undefined)(
  'a node of either program is sent the state by one of the other',
  async () => {
    const options = { nodes: 3, shards: 1, flags, program: old.entry };
    await withCluster(options, async cluster => {
      await step('old nodes send to a new one', () => catchUpAs(cluster, 'n1', programEntry));
      await replace(cluster, 'n2', programEntry);
      await step('new nodes send to an old one', () => catchUpAs(cluster, 'n3', old.entry));
      for (const [shard, of] of await untilLevel(cluster)) {
        expect(new Set(of.values()).size, `digests of shard ${shard}: ${[...of]}`).toBe(1);
      }
    });
  },
  limitMs,
);
