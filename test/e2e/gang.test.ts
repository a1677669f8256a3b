/** Tasks that start together, and reserved room, on three real nodes as a person meets them. */
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { RealCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const limitMs = 240_000;
let cluster: RealCluster;

beforeAll(async () => {
  cluster = await RealCluster.start({
    nodes: 3,
    shards: 4,
    flags: number => [
      ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
      ...['--cpu', '2', '--ports', `2${number}700-2${number}702`],
    ],
  });
}, limitMs);

afterAll(async () => cluster?.end());

const ok = (args: readonly string[]): Promise<string> => {
  onTestFailed(() => console.error(cluster.tails()));
  return cluster.ok(args, cluster.any);
};

describe('A gang of three on three nodes', () => {
  test(
    'starts one task on each, and each is told where the others are',
    async () => {
      const print =
        'echo $TSCHED_GANG_RANK of $TSCHED_GANG_SIZE port $TSCHED_PORT in $TSCHED_GANG_PEERS';
      const gang = ['--gang', '3', '--cpu', '1.5', '--ports', '1', '--', 'sh', '-c', print];
      const ids = (await ok(['submit', '-q', ...gang])).split('\n');
      expect(ids).toHaveLength(3);
      await ok(['wait', '--timeout', '60s', ...ids]);
      const said: string[] = [];
      const nodes = new Set<string>();
      for (const id of ids) {
        said.push((await ok(['logs', id])).trim());
        const { attempts } = JSON.parse(await ok(['status', id, '--json'])) as {
          attempts: { nodeName: string }[];
        };
        nodes.add(attempts.at(-1)!.nodeName);
      }
      const [peers = ''] = said.map(line => line.split(' in ')[1]);
      const ports = peers.split(',').map(peer => /^127\.0\.0\.1:(\d+)$/.exec(peer)?.[1]);
      expect(new Set(ports).size).toBe(3);
      expect(said.sort()).toEqual(
        ports.map((port, rank) => `${rank} of 3 port ${port} in ${peers}`),
      );
      expect(nodes.size).toBe(3);
      const larger = await cluster.run(
        ['submit', '--gang', '4', '--cpu', '2', '--', 'true'],
        cluster.any,
      );
      expect(larger.code).toBe(7);
      expect(larger.stderr).toContain('a gang of 4');
    },
    limitMs,
  );
});

/** Tasks of one CPU each, as many as there are arguments; their IDs. */
async function submit(tasks: readonly object[]): Promise<string[]> {
  const { body } = await cluster.call<{ results: { id: string }[] }>(
    cluster.any,
    'POST',
    '/v1/tasks/batch',
    { tasks },
  );
  return body.results.map(({ id }) => id);
}

describe('A gang that finds no room', () => {
  test(
    'is held, let go and changed by any of it, and then has what becomes free kept for it',
    async () => {
      const filling = await submit(
        Array.from({ length: 6 }, () => ({ command: ['sleep', '600'], cpu: '1' })),
      );
      for (const id of filling) await cluster.untilState(id, 'running');
      const gang = ['--gang', '3', '--cpu', '2', '--', 'sleep', '1'];
      const ids = (await ok(['submit', '-q', ...gang])).split('\n') as [string, string, string];
      const [first, second, third] = ids;
      await ok(['pause', second]);
      for (const id of ids) expect((await cluster.task(id)).reason).toBe('Paused');
      await ok(['resume', third]);
      await ok(['update', third, '--priority', 'low']);
      for (const id of ids) {
        const shown = JSON.parse(await ok(['status', id, '--json'])) as object;
        expect(shown).toMatchObject({ state: 'waiting', priority: 'low' });
      }
      await ok(['update', first, '--priority', 'normal']);

      const count = 40;
      const small = await submit(
        Array.from({ length: count }, () => ({ command: ['true'], cpu: '1' })),
      );
      for (const id of ids) {
        await until(
          'room is kept for it',
          async () => (await cluster.task(id)).reason === 'RoomKept',
        );
      }
      const explained = JSON.parse(await ok(['explain', second, '--json'])) as { message: string };
      expect(explained.message).toContain('room is kept for it');
      // One CPU after the other becomes free: each fits a small one, and none the gang.
      for (const id of filling) {
        await ok(['cancel', id]);
        await cluster.untilSettled(id);
      }
      for (const id of ids) expect((await cluster.untilSettled(id)).state).toBe('succeeded');
      const gangAt = Math.max(...(await Promise.all(ids.map(startOf))));
      for (const id of small) expect((await cluster.untilSettled(id)).state).toBe('succeeded');
      const starts = await Promise.all(small.map(startOf));
      expect(starts.filter(startMs => startMs < gangAt).length).toBeLessThan(count / 2);
    },
    2 * limitMs,
  );
});

async function startOf(id: string): Promise<number> {
  const { attempts } = (await cluster.task(id)) as unknown as {
    attempts: { startedAtMs: number }[];
  };
  return attempts.at(-1)!.startedAtMs;
}

describe('Reserved room', () => {
  test(
    'is used by tasks that name it and by no other, until it is released',
    async () => {
      const held = ['--cpu', '1.5', '--memory', '128MiB', '--count', '3', '--for', '1h'];
      await ok(['reserve', 'create', 'kept', ...held]);
      // Each node has half a CPU for others now; what asks for one waits.
      const other = await ok(['submit', '-q', '--cpu', '1', '--', 'true']);
      const named = await ok([
        'submit',
        '-q',
        '--cpu',
        '1',
        '--reservation',
        'kept',
        '--',
        'sleep',
        '600',
      ]);
      await until(
        'the task that names it runs',
        async () => {
          const { state } = JSON.parse(await ok(['status', named, '--json'])) as { state: string };
          return state === 'running';
        },
        60_000,
      );
      await until(
        'what it uses is shown',
        async () => {
          const listed = await ok(['reserve', 'list']);
          return /kept .* 1 cpu, /.test(listed);
        },
        20_000,
      );
      expect(JSON.parse(await ok(['status', other, '--json']))).toMatchObject({ state: 'waiting' });
      const missing = await cluster.run(
        ['submit', '--reservation', 'none', '--', 'true'],
        cluster.any,
      );
      expect(missing.stderr).toContain('there is no reservation "none"');
      const large = await cluster.run(
        ['submit', '--reservation', 'kept', '--cpu', '1.8', '--', 'true'],
        cluster.any,
      );
      expect(large.code).toBe(7);
      await ok(['reserve', 'release', 'kept']);
      await ok(['wait', '--timeout', '60s', other]);
      await ok(['cancel', named]);
    },
    limitMs,
  );
});
