/**
 * A workflow with many tasks on real processes, one node of three killed in the middle of it: all
 * settle, each behind those that it waits for. What says so is told by the tasks: each fails unless
 * the file of every parent is there, and only then makes its own. `npm run e2e` (TSCHED_E2E=full)
 * does it with 10,000 tasks, `npm test` with some hundred.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const total = full ? 10_000 : 300;
const limitMs = full ? 1_200_000 : 240_000;
/** A task waits for some of so many before it. */
const reach = 60;
const parentsMax = 3;

interface Shown {
  readonly state: string;
  readonly tasks: readonly {
    readonly name: string;
    readonly state: string;
    readonly startedAtMs?: number;
    readonly endedAtMs?: number;
  }[];
}

/** By task, which it waits for: drawn, the same each time. */
function drawParents(): number[][] {
  let seed = 7;
  const draw = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  return Array.from({ length: total }, (_, at) => {
    const count = at === 0 ? 0 : 1 + draw(Math.min(at, parentsMax));
    const from = Math.max(0, at - reach);
    return [...new Set(Array.from({ length: count }, () => from + draw(at - from)))];
  });
}

/** As YAML, the last task first: the file says nothing of the order. */
function documentOf(parents: readonly (readonly number[])[], dir: string): string {
  const tasks = parents.map((of, at) => {
    const tests = of.map(parent => `test -e ${parent} && `).join('');
    const after = of.map(parent => `t${parent}`).join(', ');
    const command = `cd ${dir} && ${tests}: > ${at}`;
    return `  - { name: t${at}, cpu: 20m, attempts: 1, after: [${after}], command: '${command}' }\n`;
  });
  return `workflow: large\ntasks:\n${tasks.reverse().join('')}`;
}

test('a large workflow settles in order while a node is killed', { timeout: limitMs }, () =>
  withCluster({ nodes: 3, shards: 8 }, async cluster => {
    const dir = join(cluster.dir, 'done');
    await mkdir(dir);
    const parents = drawParents();
    const path = join(cluster.dir, 'large.yaml');
    await writeFile(path, documentOf(parents, dir));
    const id = await cluster.ok(['submit', '-q', '-f', path]);

    await until(
      'a third of the tasks have run',
      async () => (await readdir(dir)).length > total / 3,
      limitMs / 2,
    );
    const leader = await cluster.busiestLeader();
    await leader.kill();
    // In the middle of it; how far the others come until it is back is theirs.
    expect((await readdir(dir)).length).toBeLessThan(total);
    const other = cluster.any;
    await leader.start();

    const waited = await cluster.run(['wait', id], other);
    expect(waited.code, waited.stderr).toBe(0);
    const shown = JSON.parse(await cluster.ok(['status', id, '--json'])) as Shown;
    expect(shown.state).toBe('succeeded');
    expect(shown.tasks).toHaveLength(total);
    expect(await readdir(dir)).toHaveLength(total);
    // The nodes share one clock here, so that their times can be compared as well.
    const times = new Map(shown.tasks.map(task => [task.name, task]));
    for (const [at, of] of parents.entries()) {
      const { startedAtMs = 0 } = times.get(`t${at}`)!;
      for (const parent of of) {
        const { endedAtMs = Number.POSITIVE_INFINITY } = times.get(`t${parent}`)!;
        expect(startedAtMs, `t${at} behind t${parent}`).toBeGreaterThanOrEqual(endedAtMs);
      }
    }
  }),
);
