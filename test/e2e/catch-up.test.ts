/**
 * A node that was away while its cluster took a million tasks: most wait, some thousands ran. One
 * shard got so much that the log its replica would need is gone: it is sent the state. The others
 * replay theirs. All the while the cluster serves. Real processes and the limits that everybody
 * has, so this is for `npm run e2e` (TSCHED_E2E=full) alone; `test/integration/catch-up.test.ts`
 * is the same with shorter logs. TSCHED_CATCH_UP_TASKS takes another number. It prints what it
 * measured.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatTaskId, slotCount } from '../../src/model/ids.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { type StoredState, storedStates } from '../support/stored-state.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const waiting = Number(process.env['TSCHED_CATCH_UP_TASKS'] ?? 1_000_000);
const running = 5_000;
/** Of 8 KB each, all in one shard: more than 64 MiB of log. */
const large = 10_000;
const shards = 16;
const arraySize = 1_000;
/** Requests under way at a time. */
const lanes = 6;
const mib = 1024 ** 2;

const flags = (number: number): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--log-level', 'warn'],
  ...['--cpu', '24', '--memory', '8GiB'],
  ...(number === 1 ? ['--label', 'taken=yes'] : []),
];

/** One task takes all of the first node: what asks for that node waits. */
async function takeFirst(cluster: RealCluster): Promise<void> {
  const task = { command: ['sleep', '3600'], cpu: '24', require: { taken: 'yes' } };
  const { status } = await cluster.call(cluster.any, 'POST', '/v1/tasks', task);
  expect(status).toBe(201);
}

type Task = Readonly<Record<string, unknown>>;

const newId = (slot = randomInt(slotCount)): string =>
  formatTaskId({ atMs: Date.now(), slot, random: randomInt(2 ** 40) });

/** Asks until all of these are taken, as a client does: again under the same IDs. */
async function takeAll(cluster: RealCluster, at: number, tasks: readonly Task[]): Promise<void> {
  await until(
    `${tasks.length} documents are taken`,
    async () => {
      const node = cluster.alive[at % cluster.alive.length]!;
      const { body } = await cluster.call<{ results?: { ok: boolean }[] }>(
        node,
        'POST',
        '/v1/tasks/batch',
        { tasks },
        30_000,
      );
      return body.results?.length === tasks.length && body.results.every(({ ok }) => ok);
    },
    120_000,
  );
}

/** Several at a time, while there are `next` ones; resolves with how many documents were taken. */
async function submit(
  cluster: RealCluster,
  next: (number: number) => readonly Task[] | undefined,
): Promise<number> {
  let begun = 0;
  let taken = 0;
  const lane = async (number: number): Promise<void> => {
    for (let tasks = next(begun); tasks !== undefined; tasks = next(begun)) {
      begun++;
      await takeAll(cluster, number, tasks);
      taken += tasks.length;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return taken;
}

const parked = { command: ['true'], cpu: '50m', require: { taken: 'yes' } };

/** Arrays that wait, while `more` says so; resolves with how many tasks they are. */
async function submitWaiting(
  cluster: RealCluster,
  more: (tasks: number) => boolean,
): Promise<number> {
  const array = `1-${arraySize}`;
  const next = (number: number): Task[] | undefined =>
    more(number * arraySize) ? [{ ...parked, id: newId(), array }] : undefined;
  return arraySize * (await submit(cluster, next));
}

/** Resident memory of a process in MiB: now, and at its highest. */
function memoryOf(node: RealNode): { now: number; peak: number } {
  const text = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  const read = (name: string) => {
    return Math.round(
      (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) * 1024) / mib,
    );
  };
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

async function metric(cluster: RealCluster, node: RealNode, name: string): Promise<number> {
  const response = await fetch(`http://${node.address}/metrics`, {
    headers: { authorization: `Bearer ${cluster.token}` },
  });
  return Number(new RegExp(`^tsched_${name} (\\S+)$`, 'm').exec(await response.text())?.[1]);
}

const largeTasks = (slot: number): Task[] =>
  Array.from({ length: 100 }, () => ({
    ...parked,
    id: newId(slot),
    env: { NOTE: `${randomInt(2 ** 40)}`.padStart(8_000, '.') },
  }));

const shortTasks = (): Task[] =>
  Array.from({ length: 100 }, () => ({ command: ['true'], cpu: '50m', id: newId() }));

interface ShardNumbers {
  readonly firstIndex: number;
  readonly commit: number;
  readonly settled: number;
}

const shardsOf = async (cluster: RealCluster): Promise<readonly ShardNumbers[]> =>
  (await cluster.get<{ shards: ShardNumbers[] }>('/v1/shards')).shards;

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const second = (sinceMs: number): number => Math.max(0.001, (performance.now() - sinceMs) / 1_000);

test.runIf(full)(
  `a node that was away while ${waiting + large + running} tasks came catches up while the cluster serves`,
  async () => {
    await withCluster({ nodes: 3, shards, flags }, async cluster => {
      const away = cluster.node('n3');
      await takeFirst(cluster);
      let atMs = performance.now();
      const before = await submitWaiting(cluster, tasks => tasks < waiting / 20);
      const figures: Record<string, unknown> = { submitsBefore: Math.round(before / second(atMs)) };
      await away.kill();
      const known = await shardsOf(cluster);
      atMs = performance.now();
      const rest = await submitWaiting(cluster, tasks => tasks < waiting - before);
      figures['submitsOfTwo'] = Math.round(rest / second(atMs));
      const slot = randomInt(slotCount);
      await submit(cluster, number => (number * 100 < large ? largeTasks(slot) : undefined));
      await submit(cluster, number => (number * 100 < running ? shortTasks() : undefined));
      await until(
        `${running} tasks have settled`,
        async () => sum((await shardsOf(cluster)).map(({ settled }) => settled)) >= running,
        120_000,
      );
      const logs = await shardsOf(cluster);
      figures['logsCut'] = logs.filter(
        ({ firstIndex }, at) => firstIndex > known[at]!.commit + 1,
      ).length;

      const [sender] = cluster.alive as [RealNode];
      figures['senderBefore'] = memoryOf(sender);
      const startMs = performance.now();
      await away.start();
      figures['readySeconds'] = second(startMs);
      let whole = false;
      const caughtUp = cluster.untilWhole(300_000).finally(() => {
        whole = true;
      });
      atMs = performance.now();
      const [meanwhile] = await Promise.all([submitWaiting(cluster, () => !whole), caughtUp]);
      figures['submitsMeanwhile'] = Math.round(meanwhile / second(atMs));
      figures['wholeSeconds'] = second(startMs);
      figures['sender'] = memoryOf(sender);
      figures['receiver'] = memoryOf(away);
      figures['snapshots'] = await metric(cluster, away, 'snapshots_received_total');
      figures['snapshotMiB'] = Math.round(
        (await metric(cluster, away, 'snapshot_bytes_in_total')) / mib,
      );
      // Its logs begin behind the states that it was sent: what is in them was replayed.
      figures['replayed'] = await metric(cluster, away, 'log_entries');
      console.info(`catch-up: ${JSON.stringify(figures)}`);

      for (const node of cluster.nodes) {
        await cluster.call(node, 'POST', '/v1/nodes/self/stop', { endTasks: true }, 60_000);
        await node.exited(60_000);
      }
      const states: Map<number, StoredState>[] = [];
      for (const node of cluster.nodes) states.push(await storedStates(node.dir));
      const [first, ...others] = states as [Map<number, StoredState>, ...typeof states];
      expect(sum([...first.values()].map(({ tasks }) => tasks))).toBe(
        1 + before + rest + large + running + meanwhile,
      );
      for (const other of others) {
        for (const [group, state] of first) {
          expect(other.get(group)?.digest, `digest of group ${group}`).toBe(state.digest);
        }
      }
      // The one whose log was cut was sent as a state, the rest by their logs.
      expect(figures['logsCut']).toBeGreaterThan(0);
      expect(figures['snapshots']).toBeGreaterThanOrEqual(Number(figures['logsCut']));
      expect(figures['snapshots']).toBeLessThan(shards);
      expect(figures['replayed']).toBeGreaterThan(0);
    });
  },
  900_000,
);
