import { describe, expect, test } from 'vitest';
import { decodeAdvertisement } from '../../../src/model/advertisement.ts';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { noResources } from '../../../src/model/resources.ts';
import { encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import { decodeFromWorker, type FromWorker } from '../../../src/model/worker-protocol.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import { WorkerHost } from '../../../src/node/worker-host.ts';
import type {
  AttemptOrder,
  FoundAttempt,
  Runner,
  RunnerEvents,
  RunnerHello,
} from '../../../src/ports/runner.ts';
import { attemptKey } from '../../../src/worker/attempt-ledger.ts';
import { aSpec, idOf } from '../../support/shard.ts';
import { HandClock, settled } from './leader-bench.ts';

/** A worker whose runner and whose shard's leader are played by hand. */
class Desk {
  readonly hand = new HandClock();
  /** What the runner was asked for, in order. */
  readonly calls: string[] = [];
  readonly orders: AttemptOrder[] = [];
  readonly sent: FromWorker[] = [];
  readonly adverts: Uint8Array[] = [];
  leader: string | undefined = 'n2';
  clusterVersion = 3;
  events: RunnerEvents | undefined;
  readonly #hello = Promise.withResolvers<RunnerHello>();
  readonly host: WorkerHost;

  constructor() {
    const runner: Runner = {
      start: events => {
        this.events = events;
        return this.#hello.promise;
      },
      launch: order => {
        this.calls.push('launch');
        this.orders.push(order);
      },
      end: (_key, kind) => void this.calls.push(`end ${kind}`),
      control: (_key, { suspended }) => void this.calls.push(`control ${suspended}`),
      renew: () => void this.calls.push('renew'),
      acknowledge: () => void this.calls.push('acknowledge'),
      output: async () => undefined,
      stop: async ({ end }) => void this.calls.push(`stop ${end}`),
    };
    const peer = {
      advert: (bytes: Uint8Array) => void this.adverts.push(bytes),
      fromWorker: (bytes: Uint8Array) => void this.sent.push(decodeFromWorker(bytes)),
    };
    const context = {
      nodeId: 'n1',
      nodeName: 'one',
      clock: this.hand.clock,
      leaderOf: () => this.leader,
      clusterVersion: () => this.clusterVersion,
      peers: { to: () => peer },
    };
    this.host = new WorkerHost({
      context: context as unknown as NodeContext,
      runner,
      settings: {
        tier: 'basic',
        total: { ...noResources, cpuMilli: 2_000, ports: 3 },
        ports: { from: 20_000, to: 20_002 },
        labels: [],
        prefetchMax: 2,
        runningMax: 8,
      },
      deliverHere: () => undefined,
      shares: () => [],
      describe: () => ({ leads: [], httpAddress: '', registryIndex: 1 }),
      changed: () => undefined,
    });
  }

  async start(found: FoundAttempt[] = []): Promise<this> {
    const started = this.host.start(1);
    this.#hello.resolve({ incarnation: 'sup-1', found, keepsPorts: true, isolation: {} });
    await started;
    return this;
  }

  dispatch(changes: Partial<TaskSpec> = {}, number = 1): void {
    const request = { ...noResources, cpuMilli: 500 };
    const spec = encodeSpec(aSpec({ request, limit: request, ...changes }));
    const about = { shard: 1, taskId: idOf(number), fence: 3, run: 2, arrayIndex: 8 };
    const message = { kind: 'dispatch', ...about, incarnation: 'sup-1', renewed: 0, spec } as const;
    this.host.onMessage('n2', message);
  }

  /** Answers the newest renewal. */
  acknowledge(): void {
    const renewal = this.sent.findLast(message => message.kind === 'renew');
    if (renewal?.kind !== 'renew') throw new Error('no renewal');
    const { shard, incarnation, sequence, asks } = renewal;
    const message = { kind: 'renewAck', shard, incarnation, sequence, confirmed: asks } as const;
    this.host.onMessage('n2', message);
  }
}

describe('a worker', () => {
  test('says nothing before its supervisor has told what it runs', async () => {
    const desk = new Desk();
    const started = desk.host.start(1);
    desk.dispatch();
    await settled();
    expect(desk.sent).toEqual([]);
    await Promise.all([desk.start(), started]);
    desk.dispatch();
    expect(desk.sent.map(message => message.kind)).toContain('accepted');
  });

  test('renews the runner before it launches what waited for that', async () => {
    const desk = await new Desk().start();
    desk.dispatch();
    expect(desk.calls).toEqual([]);
    desk.acknowledge();
    expect(desk.calls).toEqual(['renew', 'launch']);
  });

  test("gives a task its own environment and its names, which win over the submitter's", async () => {
    const desk = await new Desk().start();
    const env: TaskSpec['env'] = [
      ['TSCHED_FENCE', '99'],
      ['PATH', '/mine'],
      ['EMPTY', ''],
    ];
    desk.dispatch({ env });
    desk.acknowledge();
    expect(desk.orders[0]?.env).toEqual({
      PATH: '/mine',
      LANG: 'C.UTF-8',
      EMPTY: '',
      TSCHED_TASK_ID: idOf(1),
      TSCHED_ATTEMPT: '3',
      TSCHED_FENCE: '3',
      TSCHED_NODE: 'one',
      TSCHED_RUN: '2',
      TSCHED_ARRAY_INDEX: '8',
    });
  });

  test('tells a task its ports in its environment, and the runner whose they are', async () => {
    const desk = await new Desk().start();
    desk.dispatch({ request: { ...noResources, ports: 2 } });
    desk.acknowledge();
    expect(desk.orders[0]?.ports).toEqual([20_000, 20_001]);
    expect(desk.orders[0]?.env).toMatchObject({
      TSCHED_PORT: '20000',
      TSCHED_PORTS: '20000,20001',
      TSCHED_PORT_0: '20000',
      TSCHED_PORT_1: '20001',
    });
  });

  test('says that it has no ports only where every program reads that', async () => {
    const desk = await new Desk().start();
    const request = { ...noResources, ports: 4 };
    desk.dispatch({ request }, 1);
    desk.clusterVersion = 2;
    desk.dispatch({ request }, 2);
    const refused = desk.sent.filter(message => message.kind === 'refused');
    expect(refused.map(({ why }) => why)).toEqual(['noPorts', 'noRoom']);
  });

  test('keeps an outcome for minutes while no leader is known, and tells the next one', async () => {
    const desk = await new Desk().start();
    desk.dispatch();
    desk.acknowledge();
    desk.leader = undefined;
    desk.events?.onEnded(attemptKey(idOf(1), 3), systemOutcome('succeeded', 5, ''));
    await desk.hand.pass(180_000);
    expect(desk.sent.filter(message => message.kind === 'ended')).toEqual([]);
    desk.leader = 'n3';
    await desk.hand.pass(1_100);
    expect(desk.sent.filter(message => message.kind === 'ended').length).toBeGreaterThan(0);
    expect(desk.calls).not.toContain('acknowledge');
    const ref = { shard: 1, taskId: idOf(1), fence: 3 };
    desk.host.onMessage('n3', { kind: 'reportAck', ...ref, ended: true });
    expect(desk.calls).toContain('acknowledge');
    expect(desk.host.reactor.free.cpuMilli).toBe(2_000);
  });

  test('sends its newest numbers with a report, once for each change', async () => {
    const desk = await new Desk().start();
    desk.dispatch();
    const before = desk.adverts.length;
    expect(before).toBeGreaterThan(0);
    desk.acknowledge();
    desk.events?.onEnded(attemptKey(idOf(1), 3), systemOutcome('succeeded', 5, ''));
    expect(desk.adverts.length).toBe(before + 1);
    const newest = decodeAdvertisement(desk.adverts.at(-1)!);
    expect([newest.free.cpuMilli, newest.running]).toEqual([2_000, 0]);
  });

  test('does nothing any more once it is stopped', async () => {
    const desk = await new Desk().start();
    await desk.host.stop({ end: false });
    desk.dispatch();
    await desk.hand.pass(5_000);
    expect(desk.sent).toEqual([]);
    expect(desk.calls).toEqual(['stop false']);
  });
});
