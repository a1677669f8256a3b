/**
 * Two tenants that ask at every node for ten times what their plan lets in, and a neighbour of
 * theirs that does not: what gets in is the limit of the plan within the slack that ADR 0034
 * states, and the neighbour's tasks start as before. `npm run e2e` (TSCHED_E2E=full) does it for a
 * minute, `npm test` for some seconds.
 */
import { expect, test } from 'vitest';
import { plainEnv, startProgram } from '../support/program.ts';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const noiseMs = full ? 60_000 : 10_000;
const quietMs = full ? 20_000 : 8_000;
const limitMs = full ? 400_000 : 240_000;

/** Of each noisy tenant: tasks a second, and at once. */
const rate = 6;
const burst = 6;
/** Each node is sent so many tasks of each tenant at a time: in all ten times the limit. */
const batchTasks = 5;
const batchMs = (batchTasks * 3 * 1_000) / (rate * 10);
const neighbourMs = 400;

const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--cpu', '16', '--memory', '16GiB'],
];

interface Reply {
  readonly ok: boolean;
  readonly id?: string;
  readonly code?: string;
}

/** What a tenant asked for, and what it was told. */
interface Told {
  asked: number;
  accepted: number;
  /** By their codes. */
  readonly refused: Map<string, number>;
  firstMs: number;
  lastMs: number;
}

const task = { command: ['true'], cpu: '10m', memory: '1MiB' };

async function tenantOf(cluster: RealCluster, name: string, plan: string): Promise<string> {
  await cluster.ok(['tenant', 'create', name, '--plan', plan]);
  return cluster.ok(['token', 'create', `of-${name}`, '--tenant', name, '-q']);
}

async function post(node: RealNode, token: string, path: string, body: unknown): Promise<Response> {
  return fetch(`http://${node.address}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}

/** Calls `one` every so often, whether those before have ended or not; resolves when all have. */
async function steadily(everyMs: number, forMs: number, one: () => Promise<void>): Promise<void> {
  const calls: Promise<void>[] = [];
  const beganMs = performance.now();
  for (let n = 0; n * everyMs < forMs; n++) {
    await until('it is time', () => performance.now() - beganMs >= n * everyMs, forMs * 2);
    calls.push(one());
  }
  await Promise.all(calls);
}

/** Batches at one node. */
async function makeNoise(node: RealNode, token: string, told: Told): Promise<void> {
  await steadily(batchMs, noiseMs, async () => {
    told.firstMs = Math.min(told.firstMs, performance.now());
    told.asked += batchTasks;
    const tasks = Array.from({ length: batchTasks }, () => task);
    const response = await post(node, token, '/v1/tasks/batch', { tasks });
    const { results } = (await response.json()) as { results: readonly Reply[] };
    expect(results).toHaveLength(batchTasks);
    for (const { ok, code = 'no code' } of results) {
      if (ok) told.accepted++;
      else told.refused.set(code, (told.refused.get(code) ?? 0) + 1);
    }
    told.lastMs = Math.max(told.lastMs, performance.now());
  });
}

/** The delays from submit to start of tasks that come at all nodes in turn. */
async function neighbour(cluster: RealCluster, token: string, forMs: number): Promise<number[]> {
  const ids: string[] = [];
  let turn = 0;
  await steadily(neighbourMs, forMs, async () => {
    const node = cluster.nodes[turn++ % cluster.nodes.length]!;
    const response = await post(node, token, '/v1/tasks', task);
    expect(response.status).toBeLessThan(300);
    ids.push(((await response.json()) as { id: string }).id);
  });
  const delays: number[] = [];
  for (const id of ids) {
    const seen = await cluster.untilSettled(id);
    expect(seen.state).toBe('succeeded');
    const { submittedAtMs, attempts } = seen as unknown as {
      readonly submittedAtMs: number;
      readonly attempts: readonly { readonly startedAtMs: number }[];
    };
    delays.push(attempts[0]!.startedAtMs - submittedAtMs);
  }
  return delays.sort((left, right) => left - right);
}

const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!;

/** A task of a tenant that is over its limit is refused with all that a client needs to know. */
async function isRefused(cluster: RealCluster, node: RealNode, token: string): Promise<void> {
  await until('a single task is refused', async () => {
    const response = await post(node, token, '/v1/tasks', task);
    const body = (await response.json()) as { readonly code?: string; readonly detail?: string };
    if (response.status < 300) return false;
    expect(response.status).toBe(429);
    expect(body.code).toBe('rateLimited');
    expect(body.detail).toContain(`may submit ${rate} tasks a second`);
    const after = Number(response.headers.get('retry-after'));
    expect(after).toBeGreaterThanOrEqual(1);
    expect(after).toBeLessThanOrEqual(5);
    return true;
  });
  await until('the command line is refused', async () => {
    const env = { ...plainEnv(cluster.configDir), TSCHED_TOKEN: token };
    const args = ['submit', '--addr', node.address, '--', 'true'];
    const run = await startProgram(args, { env, cwd: cluster.dir }).done;
    if (run.code === 0) return false;
    expect(run.code).toBe(7);
    expect(run.stderr).toContain('Rate limit exceeded');
    expect(run.stderr).toContain(`may submit ${rate} tasks a second`);
    return true;
  });
}

test(
  'what two loud tenants get in at three nodes is their limit, and a neighbour notices nothing',
  async () => {
    await withCluster({ nodes: 3, shards: 8, flags }, async cluster => {
      await until('the cluster knows tenants', async () => {
        const path = '/v1/cluster/health';
        return (await cluster.get<{ clusterVersion: number }>(path)).clusterVersion >= 3;
      });
      const limits = [`submitsPerSecond=${rate}`, `burst=${burst}`];
      await cluster.ok(['quota', 'set', 'loud', ...limits]);
      await cluster.ok(['quota', 'set', 'calm', 'submitsPerSecond=1000']);
      const loud = await Promise.all(['ann', 'bob'].map(name => tenantOf(cluster, name, 'loud')));
      const calm = await tenantOf(cluster, 'carla', 'calm');
      // Every node knows all tokens, and has spoken to the home of each tenant.
      for (const node of cluster.nodes) {
        for (const token of [...loud, calm]) {
          await until('a task is let in', async () => {
            const { status } = await post(node, token, '/v1/tasks', task);
            return status < 300;
          });
        }
      }
      const before = await neighbour(cluster, calm, quietMs);
      const told = loud.map(
        (): Told => ({
          ...{ asked: 0, accepted: 0, refused: new Map() },
          ...{ firstMs: Number.POSITIVE_INFINITY, lastMs: 0 },
        }),
      );
      const noise = loud.flatMap((token, n) =>
        cluster.nodes.map(node => makeNoise(node, token, told[n]!)),
      );
      const [after] = await Promise.all([neighbour(cluster, calm, noiseMs), ...noise]);
      for (const { asked, accepted, refused, firstMs, lastMs } of told) {
        const seconds = (lastMs - firstMs) / 1_000;
        expect([...refused.keys()]).toEqual(['rateLimited']);
        expect(accepted + refused.get('rateLimited')!).toBe(asked);
        expect(asked).toBeGreaterThanOrEqual((10 * rate * noiseMs) / 1_000);
        // The slack of ADR 0034, and not less than the plan promises but for what leases lose.
        expect(accepted).toBeLessThanOrEqual(rate * (seconds + 1) + burst);
        expect(accepted).toBeGreaterThanOrEqual(0.8 * rate * (noiseMs / 1_000));
      }
      console.log(
        `accepted ${told.map(({ accepted, asked }) => `${accepted} of ${asked}`).join(', ')}; ` +
          `neighbour's median start delay ${median(before)} ms before, ${median(after)} ms beside`,
      );
      expect(median(after)).toBeLessThanOrEqual(2 * median(before) + 100);
      const still = loud.map((token, n) => isRefused(cluster, cluster.nodes[n]!, token));
      const hot = loud.map((token, n) => makeNoise(cluster.nodes[n]!, token, told[n]!));
      await Promise.all([...still, ...hot]);
    });
  },
  limitMs,
);
