/**
 * Off the peak, and large beside small, with real processes: what is held while the cluster is busy
 * and what lets it go; a task that needs a whole node among a stream of small ones.
 */
import { expect, test } from 'vitest';
import { type RealCluster, type TaskRow, withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const minuteMs = 60_000;

const cpus = (count: number) => (): string[] => [
  ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--ballast', '0'],
  ...['--cpu', String(count), '--memory', '16GiB'],
];

/** With what these tests look at besides. */
interface Row extends TaskRow {
  readonly submittedAtMs: number;
  readonly startBoundMs?: number;
  readonly boundMissed?: boolean;
}

const rowOf = async (cluster: RealCluster, id: string): Promise<Row> =>
  (await cluster.task(id)) as Row;

const startOf = (row: TaskRow): number =>
  (row.attempts[0] as unknown as { startedAtMs: number }).startedAtMs;

const submit = (cluster: RealCluster, ...words: string[]): Promise<string> =>
  cluster.ok(['submit', '-q', '--memory', '1MiB', ...words]);

const untilVersion3 = (cluster: RealCluster): Promise<unknown> =>
  until('the cluster has version 3', async () => {
    const path = '/v1/cluster/health';
    return (await cluster.get<{ clusterVersion: number }>(path)).clusterVersion >= 3;
  });

const untilHeld = (cluster: RealCluster, id: string): Promise<unknown> =>
  until(`${id} is held`, async () => (await cluster.task(id)).reason === 'OffPeak');

/** Minutes of the day as a window from one to another. */
function windowText(fromMs: number, toMs: number): string {
  const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
  return `${clock(fromMs)}-${clock(toMs)}`;
}

const startOfMinute = (ms: number): number => ms - (ms % minuteMs);

test('off-peak tasks are held above the load of the setting, and let go by load, window or bound', async () => {
  await withCluster({ nodes: 2, shards: 4, flags: cpus(4) }, async cluster => {
    await untilVersion3(cluster);
    await cluster.ok(['cluster', 'settings', 'offPeak.load=50']);
    // Five of eight CPUs are busy: more than the half that the setting allows.
    const hogs: string[] = [];
    for (let n = 0; n < 5; n++) {
      hogs.push(await submit(cluster, '--cpu', '1', '--', 'sleep', '600'));
    }
    for (const id of hogs) await cluster.untilState(id, 'running');
    const command = ['--cpu', '500m', '--', 'true'];
    const nowMs = Date.now();
    const shut = windowText(nowMs - 180 * minuteMs, nowMs - 120 * minuteMs);
    const open = windowText(nowMs - 60 * minuteMs, nowMs + 60 * minuteMs);
    const opensMs = startOfMinute(nowMs) + (nowMs % minuteMs < 40_000 ? 1 : 2) * minuteMs;
    const opens = windowText(opensMs, opensMs + 30 * minuteMs);
    const held = {
      load: await submit(cluster, '--off-peak', '--tolerance', '2h', ...command),
      outside: await submit(cluster, '--window', shut, '--tolerance', '2h', ...command),
      window: await submit(cluster, '--window', opens, '--tolerance', '2h', ...command),
      bound: '',
    };
    const toBound = ['submit', '--json', '--off-peak', '--tolerance', '70s', ...command];
    const told = JSON.parse(await cluster.ok(toBound)) as { id: string; startBoundMs: number };
    held.bound = told.id;
    await untilHeld(cluster, held.load);
    await untilHeld(cluster, held.outside);
    expect(await cluster.ok(['explain', held.load])).toMatch(/OffPeak/);
    // Others start meanwhile, and so does what has an open window, whatever the load is.
    for (const words of [[], ['--off-peak', '--window', open, '--tolerance', '2h']]) {
      const id = await submit(cluster, ...words, ...command);
      expect(await cluster.untilSettled(id)).toMatchObject({ state: 'succeeded' });
    }
    const bound = (await cluster.untilSettled(held.bound)) as Row;
    expect(bound.state).toBe('succeeded');
    expect(bound.boundMissed).not.toBe(true);
    // Urgent a minute before the bound that it was told.
    const earlyMs = told.startBoundMs - startOf(bound);
    expect(earlyMs).toBeLessThanOrEqual(minuteMs + 500);
    expect(earlyMs).toBeGreaterThan(0);
    // That was the bound alone: the other, under the same load, is held as before.
    expect(await rowOf(cluster, held.load)).toMatchObject({ state: 'waiting', reason: 'OffPeak' });
    if (full) {
      const inWindow = await cluster.untilSettled(held.window, 3 * minuteMs);
      expect(inWindow.state).toBe('succeeded');
      expect(startOf(inWindow)).toBeGreaterThanOrEqual(opensMs);
      expect(startOf(inWindow)).toBeLessThan(opensMs + 30_000);
      const still = await rowOf(cluster, held.load);
      expect(still).toMatchObject({ state: 'waiting', reason: 'OffPeak' });
    }
    for (const id of hogs.slice(0, 2)) await cluster.ok(['cancel', id]);
    expect(await cluster.untilSettled(held.load)).toMatchObject({ state: 'succeeded' });
    // The load has nothing to say to what only has a window.
    expect(await rowOf(cluster, held.outside)).toMatchObject({ state: 'waiting' });
  });
}, 300_000);

test('a task that needs a whole node starts among a stream of small ones, and they go on', async () => {
  await withCluster({ nodes: 3, shards: 8, flags: cpus(2) }, async cluster => {
    await untilVersion3(cluster);
    const count = full ? 180 : 60;
    // Of different lengths, so that no two of a node end together for long.
    const work = 'sleep $((2 + TSCHED_ARRAY_INDEX % 3))';
    const stream = async (tasks: number): Promise<string[]> =>
      (
        await submit(
          cluster,
          ...['--cpu', '1', '--array', `1-${tasks}`],
          ...['--', 'sh', '-c', work],
        )
      ).split('\n');
    const before = await stream(12);
    await until('small ones run everywhere', async () => {
      const rows = await Promise.all(before.map(id => cluster.task(id)));
      return rows.filter(({ state }) => state === 'running').length >= 6;
    });
    const large = await submit(cluster, '--cpu', '2', '--', 'true');
    // Those that were submitted before it go first; these come after it, and fit where it does not.
    const after = await stream(count);
    const done = (await cluster.untilSettled(large, 120_000)) as Row;
    expect(done.state).toBe('succeeded');
    const at = startOf(done);
    for (const id of after) {
      expect(await cluster.untilSettled(id, 180_000)).toMatchObject({ state: 'succeeded' });
    }
    const starts = (await Promise.all(after.map(id => cluster.task(id)))).map(startOf);
    // It did not wait until they were gone, nor did they wait for it.
    expect(starts.filter(startMs => startMs <= at).length).toBeLessThan(count * 0.5);
    expect(starts.filter(startMs => startMs <= at + 2_000).length).toBeGreaterThan(0);
  });
}, 400_000);

test('room that is kept for a large task is lent to small ones that end in time', async () => {
  await withCluster({ nodes: 1, shards: 1, flags: cpus(4) }, async cluster => {
    await untilVersion3(cluster);
    const busyMs = 25_000;
    const busy = await submit(
      cluster,
      '--cpu',
      '3',
      '--cap',
      `${busyMs / 1_000}s`,
      '--',
      'sleep',
      '600',
    );
    const busySince = startOf(await cluster.untilState(busy, 'running'));
    const large = await submit(cluster, '--cpu', '4', '--tolerance', '30s', '--', 'sleep', '1');
    await until('it is kept waiting', async () => (await cluster.task(large)).state === 'waiting');
    const one = ['--cpu', '1'];
    const short = await submit(cluster, ...one, '--cap', '5s', '--', 'sleep', '1');
    const uncapped = await submit(cluster, ...one, '--', 'true');
    const shortRow = (await cluster.untilSettled(short)) as Row;
    expect(shortRow.state).toBe('succeeded');
    expect(await rowOf(cluster, uncapped)).toMatchObject({ state: 'waiting', reason: 'Priority' });
    const largeAt = startOf(await cluster.untilSettled(large, 90_000));
    expect(startOf(shortRow)).toBeLessThan(largeAt);
    expect(largeAt).toBeGreaterThanOrEqual(busySince + busyMs - 1_000);
    expect(largeAt).toBeLessThan(busySince + busyMs + 15_000);
    const uncappedRow = await cluster.untilSettled(uncapped);
    expect(uncappedRow.state).toBe('succeeded');
    expect(startOf(uncappedRow)).toBeGreaterThanOrEqual(largeAt);
  });
}, 180_000);
