/** `tsched explain` of a task in every state, at any node, as a person sees it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Explanation } from '../../src/ports/node-api.ts';
import { withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const flags = (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--cpu', '1', '--memory', '1GiB'],
];

test('a task is explained while it waits, while it runs and once it has failed', async () => {
  await withCluster({ nodes: 2, shards: 1, flags }, async cluster => {
    const release = join(cluster.dir, 'release');
    const wait = `until test -e ${release}; do sleep 0.05; done`;
    const submit = async (...words: string[]): Promise<string> =>
      cluster.ok(['submit', '-q', '--cpu', '1', ...words]);
    const explain = async (id: string): Promise<Explanation> =>
      JSON.parse(await cluster.ok(['explain', id, '--json'])) as Explanation;
    // One for each node, and one that its worker may take in advance.
    const holders: string[] = [];
    for (let count = 0; count < 2; count++) holders.push(await submit('--', 'sh', '-c', wait));
    for (const id of holders) await cluster.untilState(id, 'running');
    const last = await submit('--tolerance', '1h', '--', 'sh', '-c', 'exit 3');
    const waiting = await until('it waits for room', async () => {
      const explained = await explain(last);
      return explained.reason === 'Resources' ? explained : undefined;
    });
    expect(waiting).toMatchObject({
      state: 'waiting',
      position: 1,
      readyInShard: 1,
      startBoundMs: expect.any(Number),
      estimate: { basis: 'rate', startAtMs: expect.any(Number) },
      decisions: [{ kind: 'submitted' }],
    });
    expect(waiting.nodes).toHaveLength(2);
    for (const node of waiting.nodes) {
      expect(node.verdict.kind).toBe('resource');
      expect(node.advertAgeMs).toBeLessThan(60_000);
    }
    const shown = await cluster.ok(['explain', last]);
    expect(shown).toMatch(/reason Resources +position 1 of 1 in its shard/);
    expect(shown).toMatch(/estimate +in \d.*: 1 in line, and \d+ of its shard started/);
    expect(shown).toMatch(/start by .* UTC, in /);
    expect((await explain(holders[0]!)).reason).toBe('Running');
    await writeFile(release, '');
    await cluster.untilSettled(last);
    const failed = await explain(last);
    expect(failed).toMatchObject({ state: 'failed', reason: 'Failed', estimate: undefined });
    const kinds = failed.decisions.map(one => one.kind);
    expect(kinds.filter(kind => kind !== 'unassigned' && kind !== 'deadLettered')).toEqual([
      ...['submitted', 'assigned', 'started', 'attemptEnded', 'settled'],
    ]);
    expect(await cluster.ok(['explain', last])).toMatch(/attempt \d+ on \S+: failed/);
  });
}, 120_000);
