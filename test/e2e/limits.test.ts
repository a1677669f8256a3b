/**
 * What users see of limits, with real nodes and processes: a task that uses more memory than it may
 * is ended with that reason, everywhere it is asked for; its node and its neighbours go on.
 */
import { expect, test } from 'vitest';
import type { Explanation } from '../../src/ports/node-api.ts';
import { withCluster } from '../support/real-cluster.ts';

const limitMs = 240_000;
const over = 'used more than its memory limit of 64MiB; --memory asks for more';
/** Takes 8 MiB after the other, up to 1 GiB. */
const hog =
  'const held = []; const take = () => { held.push(Buffer.alloc(8 << 20, 1)); ' +
  'setTimeout(take, held.length < 128 ? 5 : 60000); }; take();';

test(
  'a task over its memory fails with that reason, by the causes it named, beside others',
  async () => {
    await withCluster({ nodes: 1, shards: 2 }, async cluster => {
      const submit = (...words: string[]): Promise<string> =>
        cluster.ok(['submit', '-q', '--backoff', '10ms', ...words]);
      const node = ['--', process.execPath, '-e'];
      const beside = await submit('--', 'sh', '-c', 'sleep 3; exit 0');
      const once = await submit('--memory', '64MiB', ...node, hog);
      // The same by what its tier gives.
      const refused = await submit('--attempts', '3', '--no-retry-on', 'oom', ...node, hog);
      const twice = await submit('--attempts', '2', '--retry-on', 'oom', ...node, hog);
      const enough = await submit(
        '--memory',
        '64MiB:2GiB',
        ...node,
        `${hog} setTimeout(process.exit, 1500)`,
      );

      const failed = await cluster.untilSettled(once);
      expect(failed).toMatchObject({ state: 'failed', runs: 1 });
      expect(failed.outcome).toMatchObject({ kind: 'outOfMemory', message: over });
      expect(await cluster.untilSettled(refused)).toMatchObject({ state: 'failed', runs: 1 });
      expect(await cluster.untilSettled(twice)).toMatchObject({
        state: 'failed',
        runs: 2,
        lost: 0,
      });
      expect(await cluster.untilSettled(enough)).toMatchObject({ state: 'succeeded' });
      expect(await cluster.untilSettled(beside)).toMatchObject({ state: 'succeeded', runs: 1 });

      const status = await cluster.ok(['status', once]);
      expect(status).toMatch(/out of memory: .*used more than its memory limit of 64MiB/);
      const told = JSON.parse(await cluster.ok(['explain', once, '--json'])) as Explanation;
      expect(told.reason).toBe('OutOfMemory');
      const end = told.decisions.find(one => one.kind === 'attemptEnded');
      expect(end).toMatchObject({ outcome: 'outOfMemory' });
      expect(end?.sentence).toContain(over);
      expect(await cluster.ok(['explain', refused])).toMatch(/oom is in noRetryOn/);
      expect((await cluster.run(['wait', once], cluster.any)).code).toBe(3);
    });
  },
  limitMs,
);

test(
  'a node says how it keeps limits, and tasks can require that',
  async () => {
    await withCluster({ nodes: 1, shards: 1 }, async cluster => {
      const shown = await cluster.ok(['node', 'show', 'self']);
      expect(shown).toMatch(/memoryLimit +(by the kernel|looked at)/);
      expect(shown).toMatch(/cpuLimit +(by the kernel|not enforced)/);
      const kept = /memory-limit=(kernel|watched)/.exec(shown)?.[1];
      expect(kept).toBeDefined();
      const require = (value: string): string[] => ['--require', `memory-limit=${value}`];
      const id = await cluster.ok(['submit', '-q', ...require(kept!), '--', 'true']);
      expect(await cluster.untilSettled(id)).toMatchObject({ state: 'succeeded' });
      const other = kept === 'kernel' ? 'watched' : 'kernel';
      const refused = await cluster.run(['submit', ...require(other), '--', 'true'], cluster.any);
      expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining('memory-limit')]);
    });
  },
  limitMs,
);
