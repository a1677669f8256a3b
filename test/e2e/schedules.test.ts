/**
 * Schedules and begin times as users see them, on real processes: a task that waits for its time, a
 * schedule that fires by hand, of the past and by the clock, while the node that leads it is killed
 * and everything is started again.
 */
import { expect, test } from 'vitest';
import { type RealCluster, withCluster } from '../support/real-cluster.ts';
import { until } from '../support/until.ts';

const limitMs = 300_000;

interface Schedule {
  readonly name: string;
  readonly state: string;
  readonly fired: number;
  readonly shard: number;
  readonly nextAtMs?: number;
  readonly running: readonly string[];
  readonly recent: readonly { readonly occurrenceMs: number; readonly taskId: string }[];
}

const show = (cluster: RealCluster, name: string): Promise<Schedule> =>
  cluster.get<Schedule>(`/v1/schedules/${name}`);

test(
  'a task begins at its time, and a schedule fires each occurrence once through a killed leader',
  async () => {
    await withCluster({ nodes: 3, shards: 4 }, async cluster => {
      const later = await cluster.ok(['submit', '-q', '--in', '1h', '--', 'echo', 'later']);
      const early = await cluster.task(later);
      expect(early).toMatchObject({ state: 'waiting', reason: 'BeginTime' });
      const id = await cluster.ok(['submit', '-q', '--in', '3s', '--', 'echo', 'soon']);
      const ended = (await cluster.untilSettled(id)) as unknown as {
        readonly submittedAtMs: number;
        readonly attempts: readonly { readonly startedAtMs: number }[];
      };
      expect(ended.attempts[0]!.startedAtMs).toBeGreaterThanOrEqual(ended.submittedAtMs + 3_000);

      const options = [
        '--every',
        'annually',
        '--month',
        'feb',
        '--day',
        '29',
        '--overlap',
        'allow',
      ];
      await cluster.ok(['schedule', 'create', 'yearly', ...options, '--', 'echo', 'again']);
      const next = (await cluster.ok(['schedule', 'next', 'yearly', '--count', '5', '-q'])).split(
        '\n',
      );
      const inFebruary = /^\d{4}-02-2[89]T00:00:00Z$/;
      expect(next.map(text => inFebruary.test(text))).toEqual([true, true, true, true, true]);
      expect(next.some(text => text.includes('-02-29T'))).toBe(true);
      expect(await cluster.ok(['schedule', 'show', 'yearly'])).toContain(next[0]);
      const task = await cluster.ok(['schedule', 'trigger', 'yearly', '-q']);
      expect(await cluster.untilSettled(task)).toMatchObject({
        state: 'succeeded',
        schedule: 'yearly',
      });
      const years = ['--from', '2019-01-01', '--to', '2024-12-31'];
      await cluster.ok(['schedule', 'backfill', 'yearly', ...years]);
      const backfilled = await until('six more have fired', async () => {
        const view = await show(cluster, 'yearly');
        return view.fired === 7 && view.running.length === 0 ? view : undefined;
      });
      const days = backfilled.recent.map(({ occurrenceMs }) =>
        new Date(occurrenceMs).toISOString().slice(0, 10),
      );
      expect(days.slice(-6)).toEqual([
        ...['2019-02-28', '2020-02-29', '2021-02-28', '2022-02-28', '2023-02-28', '2024-02-29'],
      ]);

      await cluster.ok(['schedule', 'create', 'often', '--cron', '* * * * *', '--', 'true']);
      const { shard } = await show(cluster, 'often');
      const led = (await cluster.shards()).find(row => row.shard === shard);
      const leader = cluster.node(led!.leader!);
      await leader.kill();
      const fired = await until(
        'the next minute fires under another leader',
        async () => {
          const view = await show(cluster, 'often');
          return view.fired > 0 && view.running.length === 0 ? view : undefined;
        },
        150_000,
      );
      expect(fired.recent[0]!.occurrenceMs % 60_000).toBe(0);
      await leader.start();
      await cluster.ok(['schedule', 'pause', 'often']);
      for (const node of cluster.nodes) {
        await node.kill();
        await node.start();
      }
      await cluster.untilLed(60_000);
      const listed = await cluster.ok(['schedule', 'list', '--json']);
      const { schedules } = JSON.parse(listed) as { schedules: Schedule[] };
      expect(schedules.map(({ name, state }) => [name, state])).toEqual([
        ['often', 'paused'],
        ['yearly', 'active'],
      ]);
      await cluster.ok(['schedule', 'resume', 'often']);
      const after = await show(cluster, 'often');
      expect(after.state).toBe('active');
      const instants = after.recent.map(({ occurrenceMs }) => occurrenceMs);
      expect(new Set(instants).size).toBe(instants.length);
      await cluster.ok(['schedule', 'delete', 'often']);
      expect((await cluster.run(['schedule', 'show', 'often'], cluster.any)).code).toBe(1);
    });
  },
  limitMs,
);
