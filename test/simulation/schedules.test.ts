/**
 * Schedules in a whole cluster: the node that leads the schedule's shard dies around every firing,
 * clocks are set, and each occurrence still fires once.
 */
import { expect, test } from 'vitest';
import { noResources } from '../../src/model/resources.ts';
import { type ScheduleDefinition, slotOfSchedule } from '../../src/model/schedule.ts';
import { initialSlotTable } from '../../src/model/slots.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import { SimCluster } from './cluster.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';
import type { SimNode } from './sim-node.ts';
import { seededRandom } from './virtual-time.ts';

const timeout = 600_000;
const minuteMs = 60_000;
const shards = 2;
const actor = { name: 'client', tenant: 'default' };
/** Firings of a run; a whole minute of a cluster passes between two. */
const firings = Number(process.env['TSCHED_SIM_FIRINGS'] ?? 4);

const definition: ScheduleDefinition = {
  ...{ tenant: 'default', name: 'often', zone: 'UTC', jitterMs: 0 },
  timing: { kind: 'cron', pattern: '* * * * *' },
  overlap: 'allow',
  catchUp: 'all',
};

const amounts = { ...noResources, cpuMilli: 100 };

const spec: TaskSpec = {
  tenant: 'default',
  owner: 'client',
  name: '',
  run: { kind: 'null' },
  env: [],
  cwd: '',
  tier: 'basic',
  request: amounts,
  limit: amounts,
  labels: [],
  require: [],
  attempts: 1,
  backoff: { initialMs: 0, maxMs: 0 },
  capMs: 0,
  graceMs: 200,
  leaseMs: 5_000,
  outputBytesMax: 1_000,
};

test.each([1, 2])(
  'each occurrence fires once though its leader dies at every firing (seed %i)',
  { timeout },
  async seed => {
    const cluster = new SimCluster({
      ...drawOptions(seed),
      ...{ nodes: 3, shards, replication: 3, growUnderLoad: false, operated: false },
      ...{ skewedClocks: false, clockRatePerMille: 0, wallOffsetMs: 0, faults: [] },
      ...{ deadAfterMs: undefined, historyMs: undefined, realStore: false },
    });
    await setUp(cluster);
    const random = seededRandom(seed, 'schedules');
    const below = (count: number): number => random.uint32() % count;
    const shard = initialSlotTable(shards)[slotOfSchedule(definition)]!;
    const until = (holds: () => boolean, limitMs: number, what: string): Promise<void> =>
      cluster.until(holds, limitMs, () => what);
    const pass = async (ms: number): Promise<void> => {
      const endMs = cluster.time.nowMs + ms;
      await until(() => cluster.time.nowMs >= endMs, ms + 1_000, 'time goes on');
    };
    const leader = (): SimNode | undefined =>
      cluster.nodes.find(({ node }) => node?.scheduler.leader(shard)?.replica.leading === true);
    // All of them: no run has more than a schedule remembers.
    const fired = (): number[] =>
      cluster.committed
        .shadow(shard)!
        .schedules.find(definition)!
        .standing.recent.map(({ occurrenceMs }) => occurrenceMs);
    await until(() => leader() !== undefined, minuteMs, 'the shard has a leader');
    const create = leader()!.node!.api.schedules.create(definition, spec, actor);
    expect(await cluster.finish(create, 10_000, 'it is made')).toMatchObject({ shard });
    for (let round = 0; round < firings; round++) {
      const known = fired().length;
      await until(() => leader() !== undefined, minuteMs, 'the shard has a leader');
      const wallMs = leader()!.clock.wallMs();
      await pass(Math.max(0, minuteMs - (wallMs % minuteMs) - 300));
      if (round % 2 === 1) {
        const set = cluster.nodes[below(3)]!;
        const byMs = below(2) === 0 ? 90_000 : -90_000;
        set.clock.wallOffsetMs += byMs;
        cluster.time.after(5_000, () => {
          set.clock.wallOffsetMs -= byMs;
        });
      }
      await pass(below(800));
      const victim = leader();
      victim?.crash({ power: below(2) === 0 });
      await pass(2_000 + below(3_000));
      if (victim !== undefined && !victim.up) cluster.boot(victim);
      await until(() => fired().length > known, minuteMs * 2, 'the occurrence fires');
    }
    // What a clock that ran ahead has fired too early is not fired again, and nothing is left out.
    await pass(minuteMs);
    const instants = fired();
    expect(instants.length).toBeGreaterThanOrEqual(firings);
    const first = instants[0]!;
    expect(instants).toEqual(instants.map((_, place) => first + place * minuteMs));
  },
);
