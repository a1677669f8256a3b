/** What real nodes do when they cannot do all: no majority, and a store that is damaged. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';

async function submit(cluster: RealCluster, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    ids.push((await cluster.ok(['submit', '-q', '--', 'true'])).trim());
  }
  for (const id of ids) await cluster.untilSettled(id);
  return ids;
}

test('without a majority reads tell what a replica has, and that it may be old', async () => {
  await withCluster({ nodes: 3, shards: 4 }, async cluster => {
    const [id] = await submit(cluster, 1);
    const [last, ...others] = [...cluster.nodes].reverse();
    for (const node of others) await node.kill();
    const startedMs = performance.now();
    const shown = await cluster.run(['status', id!], last);
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('may be out of date');
    expect(shown.stderr).toMatch(
      /^warning: shown as one replica has it.*heard of a leader [\d.]+m?s ago/,
    );
    const json = await cluster.run(['status', id!, '--json'], last);
    expect(JSON.parse(json.stdout)).toMatchObject({ id, state: 'succeeded', stale: true });
    const local = await cluster.run(['status', id!, '--consistency', 'local', '--json'], last);
    expect(JSON.parse(local.stdout)).toMatchObject({ stale: true });
    const strict = await cluster.run(['status', id!, '--consistency', 'linearizable'], last);
    expect(strict.code).toBe(6);
    const page = await cluster.run(['list', '--json'], last);
    expect(JSON.parse(page.stdout)).toMatchObject({ staleShards: [1, 2, 3, 4], missingShards: [] });
    expect(page.stderr).toContain('tasks of shards 1, 2, 3, 4 may be out of date');
    const refused = await cluster.run(['cancel', 'last'], last);
    expect(refused.code).toBe(6);
    for (const node of others) await node.start();
    await cluster.untilLed();
    const again = await cluster.run(['status', id!, '--json'], last);
    expect(JSON.parse(again.stdout)).toMatchObject({ id, stale: false });
  });
}, 120_000);

test.runIf(full)(
  'a damaged store is put aside, and rebuilt from the other nodes',
  async () => {
    await withCluster({ nodes: 3, shards: 4 }, async cluster => {
      const before = await submit(cluster, 3);
      const node = cluster.nodes[2]!;
      await node.kill();
      const store = join(node.dir, 'store');
      const [wal] = (await readdir(store)).filter(name => name.endsWith('.log'));
      const bytes = await readFile(join(store, wal!));
      bytes[60]! ^= 0xff;
      await writeFile(join(store, wal!), bytes);
      const refused = await cluster.run(['node', 'start', '--data-dir', node.dir]);
      expect(refused.code).toBe(74);
      expect(refused.stderr).toContain('tsched doctor');
      const lossy = await cluster.run([
        ...['node', 'start', '--data-dir', node.dir, '--accept-data-loss'],
      ]);
      expect(lossy.code).toBe(74);
      expect(lossy.stderr).toContain('other nodes may have what');
      const found = await cluster.run(['doctor', '--data-dir', node.dir, '--quarantine']);
      expect(found.code).toBe(0);
      expect(found.stdout).toContain('DAMAGED');
      expect(found.stdout).toMatch(/other nodes have what this one has|cannot be told from here/);
      await node.start(['--join', await cluster.joinToken()]);
      await until(
        'the cluster is whole again',
        async () => {
          const run = await cluster.run(['cluster', 'health', '--json'], cluster.nodes[0]);
          return run.code === 0 && (JSON.parse(run.stdout) as { ok: boolean }).ok;
        },
        60_000,
      );
      const after = await submit(cluster, 3);
      for (const id of [...before, ...after]) {
        expect(await cluster.task(id, node)).toMatchObject({
          id,
          state: 'succeeded',
          stale: false,
        });
      }
      const shards = await cluster.shards();
      for (const shard of shards) expect(shard.voters).toContain(node.name);
    });
  },
  180_000,
);
