/** Start bounds as people see them: in the answer, in the status, as an event, and in metrics. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RealCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

let cluster: RealCluster;

beforeAll(async () => {
  const flags = (): string[] => {
    const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'];
    return [...listen, '--cpu', '1'];
  };
  cluster = await RealCluster.start({ nodes: 1, shards: 2, flags });
  const version = async (): Promise<boolean> =>
    (await cluster.get<{ clusterVersion: number }>('/v1/cluster/health')).clusterVersion >= 3;
  await until('the cluster has version 3', version, 30_000);
}, 120_000);

afterAll(async () => cluster.end());

interface Accepted {
  readonly id: string;
  readonly startBoundMs: number;
}

const submit = async (...args: string[]): Promise<Accepted> =>
  JSON.parse(await cluster.ok(['submit', '--json', ...args])) as Accepted;

interface Seen {
  readonly kind: string;
  readonly taskId: string;
}

/** Events from now on, until the signal. */
async function watch(signal: AbortSignal): Promise<Seen[]> {
  const response = await fetch(`http://${cluster.any.address}/v1/events`, {
    headers: { authorization: `Bearer ${cluster.token}`, accept: 'text/event-stream' },
    signal,
  });
  const seen: Seen[] = [];
  const read = async (): Promise<void> => {
    let text = '';
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('data: {')) seen.push(JSON.parse(line.slice(6)) as Seen);
      }
    }
  };
  // It ends with the signal.
  read().catch(() => undefined);
  return seen;
}

test('a bound is told at submit, missed once, and shown', { timeout: 120_000 }, async () => {
  const hog = await submit('--cpu', '1', '--', 'sleep', '300');
  await cluster.untilState(hog.id, 'running');
  const stream = new AbortController();
  const seen = await watch(stream.signal);
  const begunMs = Date.now();
  const late = await submit('--cpu', '1', '--tolerance', '3s', '--', 'true');
  expect(late.startBoundMs).toBeGreaterThan(begunMs);
  expect(late.startBoundMs).toBeLessThanOrEqual(Date.now() + 3_000);
  const dropped = await submit('--cpu', '1', '--expire', '2s', '--', 'true');
  const status = await until(
    'the status says that the bound was missed',
    async () => {
      const text = await cluster.ok(['status', late.id]);
      return text.includes('missed') ? text : undefined;
    },
    30_000,
  );
  expect(status).toMatch(/start by +.*UTC.*missed/);
  const aborted = await cluster.untilSettled(dropped.id);
  expect(aborted).toMatchObject({
    state: 'aborted',
    reason: 'could not start within 2s, after which it expires',
  });
  const metrics = await (
    await fetch(`http://${cluster.any.address}/metrics`, {
      headers: { authorization: `Bearer ${cluster.token}` },
    })
  ).text();
  expect(metrics).toMatch(/tsched_start_bounds_missed_total 2\b/);
  expect(metrics).toMatch(/tsched_start_expired_total 1\b/);
  await cluster.ok(['cancel', hog.id]);
  await cluster.untilState(late.id, 'succeeded');
  expect(await cluster.task(late.id)).toMatchObject({ boundMissed: true });
  const settled = (): boolean =>
    seen.some(({ kind, taskId }) => kind === 'settled' && taskId === late.id);
  await until('its end was told', settled, 10_000);
  stream.abort();
  const missed = seen.filter(({ kind }) => kind === 'boundMissed').map(({ taskId }) => taskId);
  expect(missed.sort()).toEqual([late.id, dropped.id].sort());
});

test.each([
  [['--tolerance', '-5m'], /--tolerance.*duration such as/s],
  [['--window', '10:00-10:00'], /--window.*never opens.*00:00-24:00/s],
  [['--tolerance', '1h', '--expire', '10m'], /--expire.*before the start bound/s],
])('submit %j is refused with the flag and the remedy', async (flags, says) => {
  const { code, stderr } = await cluster.run(['submit', ...flags, '--', 'true'], cluster.any);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(says);
});
