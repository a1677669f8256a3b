/** Tenants as people meet them: the real program, a real node, tokens in files. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProgramRun, plainEnv, startProgram } from '../support/program.ts';
import { RealCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

let cluster: RealCluster;
let token: string;
let theirs: string;

const hourly = 3;

beforeAll(async () => {
  cluster = await RealCluster.start({ nodes: 1, shards: 4 });
  theirs = await cluster.ok(['submit', '-q', '--', 'true']);
  await until(
    'the cluster knows tenants',
    async () => {
      const { body } = await cluster.call<{ clusterVersion: number }>(
        cluster.any,
        'GET',
        '/v1/cluster/health',
      );
      return body.clusterVersion >= 3;
    },
    30_000,
  );
  await cluster.ok(['quota', 'set', 'tight', `submitsPerHour=${hourly}`]);
  await cluster.ok(['tenant', 'create', 'acme', '--plan', 'tight']);
  token = await cluster.ok(['token', 'create', 'ci', '--tenant', 'acme', '-q']);
}, 120_000);

afterAll(async () => cluster.end());

/** The command line with the tenant's token. */
function asTenant(args: readonly string[]): Promise<ProgramRun> {
  const env = { ...plainEnv(cluster.configDir), TSCHED_TOKEN: token };
  return startProgram([...args, '--addr', cluster.any.address], { env, cwd: cluster.dir }).done;
}

async function post(path: string, body: unknown): Promise<Response> {
  return fetch(`http://${cluster.any.address}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

describe('a tenant', () => {
  test('has a token that is shown once and nowhere at rest', async () => {
    expect(token).toMatch(/^tsched_[\w-]{43}$/);
    expect(await cluster.ok(['token', 'list'])).not.toContain(token);
    const secret = Buffer.from(token.slice('tsched_'.length));
    for (const file of await filesBelow(join(cluster.dir, '1'))) {
      expect((await readFile(file)).includes(secret), file).toBe(false);
    }
  });

  test('sees and touches its own tasks only', async () => {
    expect((await asTenant(['list', '-q'])).stdout).toBe('');
    for (const args of [
      ['status', theirs],
      ['cancel', theirs],
      ['logs', theirs],
      ['retry', theirs],
    ]) {
      const run = await asTenant(args);
      expect(run.code, args[0]).toBe(1);
      expect(run.stderr, args[0]).toContain('No such task');
    }
    expect((await asTenant(['tenant', 'list', '-q'])).stdout).toBe('acme\n');
    expect((await asTenant(['token', 'list'])).stderr).toContain('this needs admin');
  });

  test('is told of each item of a batch whether it got in, and of its limit afterwards', async () => {
    const tasks = Array.from({ length: hourly + 2 }, () => ({ command: ['true'] }));
    const batch = await post('/v1/tasks/batch', { tasks });
    const { results } = (await batch.json()) as { results: { ok: boolean; code?: string }[] };
    expect(results.map(result => result.ok)).toEqual([true, true, true, false, false]);
    expect(results.at(-1)).toMatchObject({ code: 'rateLimited' });
    const refused = await post('/v1/tasks', { command: ['true'] });
    expect(refused.status).toBe(429);
    const retryAfter = Number(refused.headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(60);
    expect(retryAfter).toBeLessThanOrEqual(61 * 60);
    expect(await refused.json()).toMatchObject({
      code: 'rateLimited',
      title: 'Rate limit exceeded',
    });
    const run = await asTenant(['submit', '--', 'true']);
    expect(run.code).toBe(7);
    expect(run.stderr).toContain('Rate limit exceeded');
    expect(run.stderr).toContain(`tenant acme may submit ${hourly} tasks an hour: try again in`);
    // The neighbour is none the wiser.
    await cluster.ok(['submit', '--', 'true']);
  });

  test('is shown with what it holds, and its token is worth nothing once it is revoked', async () => {
    const shown = await asTenant(['tenant', 'show', 'acme']);
    expect(shown.stdout).toMatch(/^submitsPerHour +3$/m);
    await cluster.ok(['token', 'revoke', 'ci']);
    const run = await asTenant(['list']);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('No valid token');
  });
});
