/** The history as people meet it: kept by tenant, exported from a real cluster while it breaks. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const count = 300;

interface Exported {
  readonly id: string;
  readonly tenant: string;
  readonly state: string;
  readonly outcome: { readonly exitCode?: number; readonly tail: string };
}

const read = (text: string): Exported[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Exported);

test('an export has every task once although a node is killed, and tenants keep what is theirs', async () => {
  await withCluster({ nodes: 3, shards: 4 }, async cluster => {
    await until(
      'the cluster knows tenants',
      async () => {
        const path = '/v1/cluster/health';
        return (await cluster.get<{ clusterVersion: number }>(path)).clusterVersion >= 3;
      },
      60_000,
    );
    await cluster.ok(['quota', 'set', 'long', 'historyAge=1h']);
    await cluster.ok(['tenant', 'create', 'acme', '--plan', 'long']);
    const documents = Array.from({ length: count }, (_, n) => ({
      command: ['sh', '-c', `echo said; exit ${n % 3}`],
      tenant: n % 2 === 0 ? 'acme' : 'default',
      attempts: 1,
    }));
    const file = join(cluster.dir, 'tasks.ndjson');
    const made = await cluster.call<{ results: { id: string }[] }>(
      cluster.any,
      'POST',
      '/v1/tasks/batch',
      { tasks: documents },
    );
    const ids = made.body.results.map(({ id }) => id).sort();
    expect(ids).toHaveLength(count);
    await until(
      'all tasks have settled',
      async () => (await cluster.ok(['list', '-q', '--state', 'active'])) === '',
      120_000,
    );
    const [victim] = cluster.nodes;
    const everywhere = cluster.nodes.map(({ address }) => address).join(',');
    const flags = ['--to', file, '-q', '--addr', everywhere];
    const exporting = cluster.ok(['export', '--since', '1h', ...flags]);
    await victim!.kill();
    await exporting;
    expect((await readFile(file, 'utf8')).trim().split('\n').sort()).toEqual(ids);
    await victim!.start();
    await cluster.untilLed();
    const failed = read(await cluster.ok(['export', '--state', 'failed', '--tenant', 'acme']));
    expect(failed).toHaveLength(count / 3);
    for (const { tenant, state, outcome } of failed) {
      expect([tenant, state, outcome.tail]).toEqual(['acme', 'failed', '']);
      expect(outcome.exitCode).toBeGreaterThan(0);
    }
    expect(await cluster.ok(['export', '--until', '1h'])).toBe('');
    // The others' tasks leave; of the tenant whose plan keeps them for an hour none does.
    await cluster.ok(['cluster', 'settings', 'history.maxAge=10s']);
    await until(
      'the history is of acme alone',
      async () => {
        const left = read(await cluster.ok(['export']));
        return left.length === count / 2 && left.every(({ tenant }) => tenant === 'acme');
      },
      120_000,
    );
  });
}, 400_000);
