/**
 * Many tasks over a hundred order keys and some that bound how many run, while nodes crash and
 * leaders change: no two of one order key at a time, each in its turn; of the others no more than
 * each allows; and all of them in the end. TSCHED_E2E=full makes them ten thousand in order.
 */
import { expect, test } from 'vitest';
import { TschedError } from '../../src/model/errors.ts';
import { noResources } from '../../src/model/resources.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import type { SubmitRequest } from '../../src/ports/node-api.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import { SimCluster } from './cluster.ts';
import { Nemesis } from './nemesis.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';
import type { SimNode } from './sim-node.ts';

const keys = 100;
/** Keys that bound how many run. */
const bounding = 20;
const ordered = process.env['TSCHED_E2E'] === 'full' ? 10_000 : 600;
const tasks = (ordered * (keys + bounding)) / keys;
const actor = { name: 'client', tenant: 'default' };
const request = { ...noResources, cpuMilli: 10, memoryBytes: 1_000_000 };

const specOf = (key: number, fails: boolean): TaskSpec => ({
  tenant: 'default',
  owner: 'client',
  name: '',
  run: { kind: 'command', argv: ['sim', 'ms=20', ...(fails ? ['exit=1'] : [])] },
  env: [],
  cwd: '',
  tier: 'basic',
  request,
  limit: request,
  labels: [],
  require: [],
  ...(key < keys
    ? { orderKey: `key ${key}` }
    : { maxRunningPer: { key: `key ${key}`, max: 1 + (key % 3) } }),
  attempts: 2,
  backoff: { initialMs: 50, maxMs: 50 },
  capMs: 0,
  graceMs: 500,
  leaseMs: 5_000,
  outputBytesMax: 1_000,
});

test(`${ordered} tasks over ${keys} keys run one at a time, in order, others as their keys allow`, {
  timeout: 3_600_000,
}, async () => {
  const cluster = new SimCluster({
    ...drawOptions(3),
    nodes: 3,
    shards: 8,
    growUnderLoad: false,
    skewedClocks: false,
    operated: false,
    historyMs: undefined,
    faults: ['crash', 'supervisorCrash', 'transfer', 'partition'],
    faultEveryMs: 3_000,
  });
  await setUp(cluster);
  const ready = (): boolean =>
    cluster.nodes.every(({ node }) => (node?.registry.version.current() ?? 0) >= 3);
  await cluster.until(ready, 60_000, () => 'every node knows cluster version 3');
  const nemesis = new Nemesis(cluster, () => undefined);
  nemesis.start();

  const nothing = new Promise<SubmitReply[]>(() => undefined);
  /** What a node answers in time; nothing of one that is down, or dies meanwhile. */
  const answerOf = (
    { node }: SimNode,
    batch: readonly SubmitRequest[],
  ): Promise<readonly SubmitReply[]> => {
    const answer = (node?.api.submit(batch, actor) ?? nothing).catch((error: unknown) => {
      if (error instanceof TschedError) return [];
      throw error;
    });
    const late = new Promise<SubmitReply[]>(resolve => {
      cluster.time.after(6_000, () => resolve([]));
    });
    return Promise.race([answer, late]);
  };

  // One client, which waits for an answer before it sends more: then it knows the order.
  const acknowledged: string[] = [];
  let drawn = 0;
  const send = async (batch: readonly SubmitRequest[]): Promise<void> => {
    let open = batch;
    for (let turn = 0; open.length > 0; turn++) {
      const replies = await answerOf(cluster.nodes[turn % cluster.nodes.length]!, open);
      for (const reply of replies) if (reply.ok) acknowledged.push(reply.id);
      open = open.filter((_, place) => replies[place]?.ok !== true);
      if (open.length > 0) await new Promise<void>(resolve => cluster.time.after(200, resolve));
    }
  };
  let sent = false;
  const client = (async () => {
    while (drawn < tasks) {
      const batch = Array.from({ length: 50 }, () => {
        drawn++;
        return { spec: specOf(drawn % (keys + bounding), drawn % 7 === 0) };
      });
      await send(batch);
    }
    sent = true;
  })();
  await cluster.until(
    () => sent,
    3_600_000,
    () => `${acknowledged.length} were taken`,
  );
  await client;
  nemesis.heal();
  const settled = (): boolean => acknowledged.every(id => cluster.attempts.settled.has(id));
  await cluster.until(settled, 3_600_000, () => 'every task settles');
  expect(cluster.order.assigned).toBeGreaterThanOrEqual(tasks);
});
