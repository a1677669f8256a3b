import { expect, test } from 'vitest';
import {
  type Advertisement,
  decodeAdvertisement,
  encodeAdvertisement,
} from '../../../src/model/advertisement.ts';
import { noResources } from '../../../src/model/resources.ts';
import { Advertiser } from '../../../src/node/advertiser.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import { LedDemand } from '../../../src/node/led-demand.ts';
import type { RegistryClient } from '../../../src/node/registry-client.ts';
import type { Scheduler } from '../../../src/node/scheduler.ts';
import type { WorkerHost } from '../../../src/node/worker-host.ts';
import { HandClock } from './leader-bench.ts';

/** The advertiser of node 0 of so many, of which the first few lead shards. */
class Bench {
  readonly hand = new HandClock();
  readonly gossiped: Advertisement[] = [];
  readonly told: string[] = [];
  leads: readonly number[] = [];
  readonly demand = new LedDemand();
  #sequence = 0;
  readonly advertiser: Advertiser;

  constructor(nodes: number, leading: number) {
    const ids = Array.from({ length: nodes }, (_, at) => `n${at}`);
    const context = {
      nodeId: 'n0',
      clock: this.hand.clock,
      peers: {
        connected: () => true,
        to: (id: string) => ({ advert: () => this.told.push(id) }),
      },
    };
    const views = ids.map((node, at) => ({
      advertisement: { node, leads: at < leading ? [at + 1] : [] },
    }));
    this.advertiser = new Advertiser({
      context: context as unknown as NodeContext,
      gossip: {
        start: () => Promise.resolve(),
        publish: bytes => void this.gossiped.push(decodeAdvertisement(bytes)),
        counters: () => ({}),
        stop: () => Promise.resolve(),
      },
      worker: () =>
        ({
          refresh: () => undefined,
          advertisementBytes: () => encodeAdvertisement(this.#advertisement()),
        }) as unknown as WorkerHost,
      scheduler: {
        know: () => undefined,
        views: () => views,
        demand: this.demand,
      } as unknown as Scheduler,
      registry: {
        machine: () => ({ nodes: () => ids.map(id => ({ id })) }),
      } as unknown as RegistryClient,
    });
  }

  #advertisement(): Advertisement {
    return {
      node: 'n0',
      name: 'n0',
      boot: 1,
      sequence: ++this.#sequence,
      incarnation: 'a',
      tier: 'basic',
      total: noResources,
      free: noResources,
      labels: [],
      running: 0,
      queued: 0,
      queueRoom: 0,
      leads: this.leads,
      draining: false,
      httpAddress: '',
      registryIndex: 1,
    };
  }

  /** Something changes each millisecond of nearly a second. */
  async changeForASecond(): Promise<void> {
    for (let n = 0; n < 990; n++) {
      this.advertiser.soon();
      await this.hand.pass(1);
    }
  }
}

test('few nodes are all told of what changed, ten times a second at most', async () => {
  const bench = new Bench(4, 1);
  await bench.changeForASecond();
  expect(new Set(bench.told)).toEqual(new Set(['n1', 'n2', 'n3']));
  expect(bench.told.length).toBeGreaterThanOrEqual(3 * 9);
  expect(bench.told.length).toBeLessThanOrEqual(3 * 11);
  expect(bench.gossiped).toEqual([]);
});

test('of many nodes those are told that place tasks, the more seldom the more there are', async () => {
  const bench = new Bench(1_000, 3);
  await bench.changeForASecond();
  // Each is told 2,000 times a second by all together, which is twice by this one.
  expect(bench.told).toEqual(['n1', 'n2', 'n1', 'n2']);
  expect(bench.gossiped).toEqual([]);
});

test('who leads is gossiped to all at once', async () => {
  const bench = new Bench(100, 3);
  bench.leads = [7];
  bench.advertiser.soon();
  await bench.hand.pass(200);
  expect(bench.gossiped.map(({ leads }) => leads)).toEqual([[7]]);
  bench.advertiser.soon();
  await bench.hand.pass(200);
  expect(bench.gossiped).toHaveLength(1);
  expect(bench.told).toEqual(['n1', 'n2']);
});

test.each([
  [100, 10],
  [1_000, 5],
])('%i nodes gossip %i times in ten seconds', async (nodes, times) => {
  const bench = new Bench(nodes, 3);
  bench.advertiser.start();
  await bench.hand.pass(9_999);
  bench.advertiser.stop();
  expect(bench.gossiped).toHaveLength(times);
});

test('those who lead are told soon when other tasks wait here, and not again for the same', async () => {
  const bench = new Bench(100, 3);
  const head = { tenant: 'a', tier: 'basic' as const, request: noResources, boundMs: 9 };
  const work = { urgent: 0, others: 1, claims: [] };
  const plan = { placements: [], blocked: [], claims: [], hasYielded: false };
  for (const heads of [[head], [head], [{ ...head }]]) {
    bench.demand.planned(work, { ...plan, heads });
    await bench.hand.pass(200);
  }
  expect(bench.told).toEqual(['n1', 'n2']);
  bench.demand.clear();
  await bench.hand.pass(200);
  expect(bench.told).toEqual(['n1', 'n2', 'n1', 'n2']);
});
