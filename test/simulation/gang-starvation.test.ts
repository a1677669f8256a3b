/**
 * A gang that needs most of a cluster under an endless stream of small tasks, which several leaders
 * place and of which some always wait: it starts in bounded time, by virtual time and with the real
 * nodes, workers and advertisements. It says meanwhile what it waits for.
 */
import { expect, test } from 'vitest';
import { formatTaskId, type TaskId } from '../../src/model/ids.ts';
import { noResources } from '../../src/model/resources.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import type { NodeApi, SubmitRequest } from '../../src/ports/node-api.ts';
import type { ShardMachine } from '../../src/shard/machine.ts';
import { someSpec } from '../unit/node/small-world.ts';
import { SimCluster } from './cluster.ts';
import { drawOptions } from './options.ts';
import { setUp } from './run.ts';

const actor = { name: 'client', tenant: 'default' };
const shards = 4;
const request = { ...noResources, cpuMilli: 1_000 };
const stepMs = 100;

const specOf = (ms: number, parts: Partial<TaskSpec> = {}): TaskSpec =>
  someSpec({
    run: { kind: 'command', argv: ['sim', `ms=${ms}`] },
    request,
    limit: request,
    backoff: { initialMs: 0, maxMs: 0 },
    outputBytesMax: 1_000,
    ...parts,
  });

class World {
  readonly cluster: SimCluster;
  readonly #capMs: number;
  #drawn = 0;

  constructor(seed: number, capMs: number) {
    this.#capMs = capMs;
    this.cluster = new SimCluster({
      ...drawOptions(seed),
      nodes: 3,
      shards,
      growUnderLoad: false,
      skewedClocks: false,
      clockRatePerMille: 0,
      wallOffsetMs: 0,
      faults: [],
      dropPercent: 0,
      duplicatePercent: 0,
      reorderPercent: 0,
      resetPerTenThousand: 0,
      truncatePerTenThousand: 0,
      delayMsMax: 20,
      slowDiskPerMillion: 0,
      failDiskPerMillion: 0,
      operated: false,
      deadAfterMs: undefined,
      historyMs: undefined,
      replication: 3,
      realStore: false,
    });
  }

  async begin(): Promise<void> {
    await setUp(this.cluster);
    const isLed = (): boolean =>
      this.cluster.nodes.every(({ node }) => node?.context.clusterVersion() === 3) &&
      this.#led().length === shards &&
      new Set(this.#led().map(({ at }) => at)).size > 1;
    await this.cluster.until(isLed, 120_000, () => 'several nodes lead');
  }

  #led(): { readonly at: number; readonly machine: ShardMachine }[] {
    return this.cluster.nodes.flatMap(({ node }, at) =>
      [...(node?.loop.replicas() ?? [])]
        .filter(({ group, leading }) => group > 0 && leading)
        .map(({ machine }) => ({ at, machine: machine as unknown as ShardMachine })),
    );
  }

  /** Tasks of one CPU that the nodes hold together. */
  get room(): number {
    const totals = this.cluster.nodes.map(({ node }) => node!.worker.advertisement().total);
    return totals.reduce((sum, { cpuMilli }) => sum + Math.floor(cpuMilli / 1_000), 0);
  }

  get waiting(): number {
    return this.#led().reduce((sum, { machine }) => sum + machine.counts().waiting, 0);
  }

  ask<T>(work: (api: NodeApi) => Promise<T>): Promise<T> {
    const at = this.#drawn++ % this.cluster.nodes.length;
    return this.cluster.finish(work(this.cluster.nodes[at]!.node!.api), 60_000, 'an answer comes');
  }

  async submit(requests: readonly SubmitRequest[]): Promise<void> {
    const replies = await this.ask(api => api.submit(requests, actor));
    expect(replies.filter(({ ok }) => !ok)).toEqual([]);
  }

  /** A step in which as many small ones wait as the nodes hold, at all leaders. */
  async step(): Promise<void> {
    const missing = Math.max(0, this.room - this.waiting);
    const requests = Array.from({ length: missing }, () => ({
      spec: specOf(600 + ((this.#drawn++ * 311) % 1_900), { capMs: this.#capMs }),
    }));
    if (missing > 0) await this.submit(requests);
    const { time } = this.cluster;
    const untilMs = time.nowMs + stepMs;
    await this.cluster.until(
      () => time.nowMs >= untilMs,
      stepMs + 1_000,
      () => 'time passes',
    );
  }

  async gang(size: number): Promise<readonly TaskId[]> {
    const atMs = 1_767_225_600_000;
    const slot = 77;
    const idAt = (random: number): TaskId => formatTaskId({ atMs, slot, random });
    const spec = specOf(1_000, { gang: size });
    const requests = Array.from({ length: size }, (_, arrayIndex) => ({
      id: idAt(arrayIndex + 1),
      spec,
      arrayId: idAt(0),
      arrayIndex,
    }));
    await this.submit(requests);
    return requests.map(({ id }) => id);
  }
}

test.each([
  { seed: 1, capMs: 0 },
  { seed: 2, capMs: 60_000 },
])(
  'a gang starts under a stream of small tasks with a cap of $capMs ms',
  {
    timeout: 600_000,
  },
  async ({ seed, capMs }) => {
    const world = new World(seed, capMs);
    await world.begin();
    for (let n = 0; n < 30; n++) await world.step();
    const ids = await world.gang(Math.floor(world.room * 0.75));
    const { time } = world.cluster;
    const sinceMs = time.nowMs;
    const reasons = new Set<string | undefined>();
    for (;;) {
      const views = await Promise.all(
        [ids[0]!, ids.at(-1)!].map(id => world.ask(api => api.get(id))),
      );
      if (views.every(({ state }) => state !== 'waiting' && state !== 'assigned')) break;
      for (const { state, reason } of views) if (state === 'waiting') reasons.add(reason);
      // Five seconds until room is kept, and some times what a small one takes.
      expect(time.nowMs - sinceMs).toBeLessThan(25_000);
      await world.step();
    }
    expect([...reasons]).toContain('RoomKept');
    const shown = await world.ask(api => api.explain(ids[1]!));
    expect(['running', 'succeeded']).toContain(shown.state);
  },
);
