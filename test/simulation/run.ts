/**
 * One seed, from the first boot to the last check: the cluster comes up; a phase with faults, in
 * which only wrong is wrong; then everything heals, and what was promised has to come true in
 * bounded time.
 */
import { registryGroup } from '../../src/model/ids.ts';
import type { TschedNode } from '../../src/node/node.ts';

import type { ClusterHealth } from '../../src/ports/node-api.ts';
import { decodeJoinToken } from '../../src/registry/join-token.ts';
import { type Plants, SimCluster } from './cluster.ts';
import { describeCluster } from './describe.ts';
import { Nemesis } from './nemesis.ts';
import { operate } from './operator.ts';
import { type Circumstances, circumstances, drawOptions, type SimOptions } from './options.ts';
import { check, type Verdict, Violation } from './violation.ts';
import { Workload } from './workload.ts';

export interface RunResult {
  readonly options: SimOptions;
  readonly verdict: 'ok' | Verdict;
  readonly message: string;
  /** Newest lines of the trace, oldest first. */
  readonly last: readonly string[];
  /** Every replica as it stood when the run failed. */
  readonly state: readonly string[];
  /** Over everything that happened: equal for equal seeds. */
  readonly hash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly committed: number;
  readonly starts: number;
  readonly acknowledged: number;
  /** Operations in the history that was found to be linearizable; 0 where a run ended before. */
  readonly operations: number;
  /** How often each kind of command, outcome and refusal was committed. */
  readonly coverage: ReadonlyMap<string, number>;
}

export interface RunExtras {
  readonly events?: number | undefined;
  /** Called first, so that a run that never ends can be named. */
  readonly begun?: ((options: SimOptions) => void) | undefined;
  /** Called with every line of the trace. */
  readonly echo?: ((line: string) => void) | undefined;
  readonly plants?: Plants | undefined;
  /** In place of what the seed draws. */
  readonly in?: Circumstances | undefined;
  readonly options?: Partial<SimOptions> | undefined;
  /** Somebody who changes the cluster while it works; what it returns stops that. */
  readonly operator?: ((cluster: SimCluster) => () => void) | undefined;
}

const setupMs = 60_000;
/** Virtual time in which everything that was promised has to come true after the healing. */
const livenessMs = 600_000;

export async function runSeed(seed: number, extras: RunExtras = {}): Promise<RunResult> {
  const drawn = drawOptions(seed);
  // Whoever asks for circumstances means them without an operator.
  const asked = extras.in !== undefined || extras.options !== undefined;
  const options: SimOptions = {
    ...drawn,
    ...(asked ? { operated: false, deadAfterMs: undefined } : {}),
    ...(extras.in === undefined ? {} : circumstances[extras.in]),
    ...(extras.events === undefined ? {} : { events: extras.events }),
    ...extras.options,
  };
  extras.begun?.(options);
  const cluster = new SimCluster(options, { echo: extras.echo, plants: extras.plants ?? {} });
  const rejected = (error: unknown): void =>
    cluster.fail(new Violation('crash', `a rejection that nobody takes: ${String(error)}`));
  process.on('unhandledRejection', rejected);
  let failure: Violation | undefined;
  try {
    await play(cluster, extras.operator ?? (options.operated ? operated : undefined));
  } catch (error) {
    failure =
      error instanceof Violation
        ? error
        : new Violation('crash', error instanceof Error ? (error.stack ?? '') : String(error));
  } finally {
    process.off('unhandledRejection', rejected);
  }
  return {
    options,
    verdict: failure?.verdict ?? 'ok',
    message: failure?.message ?? '',
    last: cluster.trace.last(),
    state: failure === undefined ? [] : describeCluster(cluster),
    hash: cluster.trace.hash,
    events: cluster.time.events,
    virtualMs: cluster.time.nowMs,
    committed: cluster.committed.committed,
    starts: cluster.attempts.starts,
    acknowledged: cluster.acknowledged.acknowledged.size,
    operations: cluster.history.operations,
    coverage: cluster.committed.coverage,
  };
}

const operated = (cluster: SimCluster): (() => void) =>
  operate(cluster, { drains: 0, undrains: 0, removals: 0, joins: 0, refused: 0 });

async function play(cluster: SimCluster, operator: RunExtras['operator']): Promise<void> {
  await setUp(cluster);
  const workload = new Workload(cluster);
  const nemesis = new Nemesis(cluster, node => workload.probe(node));
  workload.start();
  nemesis.start();
  const dismiss = operator?.(cluster);
  if (cluster.options.growUnderLoad) grow(cluster);
  const end = cluster.time.events + cluster.options.events;
  while (cluster.time.events < end) await cluster.step();
  workload.stop();
  dismiss?.();
  while (cluster.nodes.length < cluster.options.nodes) cluster.addMachine();
  nemesis.heal();
  await cluster.until(
    () => workload.idle,
    30_000,
    () => `every request has an answer: ${workload.describeWaiting()}`,
  );
  await settle(cluster);
  await readBack(cluster);
  if (cluster.options.historyMs !== undefined) await forgotten(cluster);
  // Nothing may happen between this and the last look.
  await cluster.until(
    () => cluster.time.events % 64 === 0 && caughtUp(cluster),
    30_000,
    () => 'every replica has everything',
  );
  const unaware = cluster.nodes.filter(node => node.rolledBack).map(node => node.id);
  check(unaware.length === 0, () => `${unaware.join()} works on with an old copy of its disk`);
  cluster.final();
}

/** One node, then the others one by one, until the cluster says that it is whole. */
export async function setUp(cluster: SimCluster): Promise<void> {
  const { options } = cluster;
  const first = cluster.addMachine();
  cluster.boot(first);
  await cluster.until(
    () => first.node?.ready === true,
    setupMs,
    () => 'the first node is ready',
  );
  const text = await cluster.finish(first.node!.api.joinToken(), setupMs, 'a join token is made');
  const token = decodeJoinToken(text);
  if (!token.ok) throw new Violation('crash', token.message);
  cluster.joinSecret = token.secret;
  if (options.growUnderLoad) return;
  while (cluster.nodes.length < options.nodes) {
    const node = cluster.addMachine();
    cluster.boot(node);
    await cluster.until(
      () => node.node?.ready === true,
      setupMs,
      () => `${node.id} joins`,
    );
  }
  await healthy(cluster, setupMs);
}

/** Machines join while clients ask and faults happen. */
function grow(cluster: SimCluster): void {
  const random = cluster.random('grow');
  const next = (): void => {
    if (cluster.nodes.length >= cluster.options.nodes) return;
    cluster.boot(cluster.addMachine());
    cluster.time.after(200 + (random.uint32() % 3_000), next);
  };
  cluster.time.after(random.uint32() % 2_000, next);
}

/** Every node says that the cluster is as it should be. */
async function healthy(cluster: SimCluster, limitMs: number): Promise<void> {
  const endMs = cluster.time.nowMs + limitMs;
  for (;;) {
    const answers: ClusterHealth[] = [];
    for (const { node } of cluster.nodes) {
      if (node?.ready !== true) break;
      answers.push(await cluster.finish(node.api.clusterHealth(), 20_000, 'health is told'));
    }
    if (answers.length === cluster.nodes.length && answers.every(answer => answer.ok)) return;
    if (cluster.time.nowMs > endMs) {
      const problems = [...new Set(answers.flatMap(answer => answer.problems))];
      const unready = cluster.nodes.filter(one => one.node?.ready !== true).map(one => one.id);
      throw new Violation(
        'liveness',
        `not healthy within ${limitMs} ms: ${problems.join('; ')}; not ready: ${unready.join()}`,
      );
    }
    const untilMs = cluster.time.nowMs + 250;
    await cluster.until(
      () => cluster.time.nowMs >= untilMs,
      1_000,
      () => 'time goes on',
    );
  }
}

async function settle(cluster: SimCluster): Promise<void> {
  const { committed } = cluster;
  await cluster.until(
    () => cluster.nodes.every(({ node }) => node?.ready === true),
    livenessMs,
    () => {
      const unready = cluster.nodes.filter(one => one.node?.ready !== true).map(one => one.id);
      return `ready: ${unready.join()}`;
    },
  );
  await cluster.until(
    () => cluster.time.events % 64 === 0 && committed.unsettled().length === 0,
    livenessMs,
    () => `settled: ${describeUnsettled(cluster)}`,
  );
  await cluster.until(
    () => cluster.nodes.every(({ node }) => node !== undefined && isIdle(node)),
    60_000,
    () => `workers at rest: ${describeWorkers(cluster)}`,
  );
  await healthy(cluster, 60_000);
}

/** Nothing runs and nothing is held: whatever way its attempts ended. */
function isIdle({ worker }: TschedNode): boolean {
  const { running, queued, allocated } = worker.reactor;
  return running === 0 && queued === 0 && Object.values(allocated).every(amount => amount === 0);
}

const describeWorkers = (cluster: SimCluster): string =>
  cluster.nodes
    .filter(({ node }) => node !== undefined && !isIdle(node))
    .map(({ id, node }) => `${id} ${node?.worker.reactor.running} ${node?.worker.reactor.queued}`)
    .join();

/** What was acknowledged can be read at any node, as it was recorded. */
async function readBack(cluster: SimCluster): Promise<void> {
  const random = cluster.random('read back');
  const { acknowledged, attempts } = cluster;
  const ids = [...acknowledged.acknowledged].filter(() => random.uint32() % 8 === 0).slice(0, 20);
  for (const id of ids) {
    const { node } = cluster.nodes[random.uint32() % cluster.nodes.length] ?? {};
    if (node === undefined) continue;
    const expected = acknowledged.expectation(attempts, id);
    const read = node.api.get(id).catch((error: unknown) => {
      if ((error as { code?: string }).code === 'unknownTask') return undefined;
      throw error;
    });
    const view = await cluster.finish(read, 20_000, `task ${id} is read`);
    check(view?.stale !== true, () => `task ${id} can only be read stale in a healthy cluster`);
    acknowledged.judge(id, expected, view);
  }
}

const everything = { from: new Uint8Array(0), to: Uint8Array.of(255), limit: 10_000 };

/** What settled leaves the history: nothing of it is left on any disk, its specs included. */
async function forgotten(cluster: SimCluster): Promise<void> {
  const left = (): string[] =>
    cluster.nodes.flatMap(({ id, disk, node }) =>
      [...(node?.loop.replicas() ?? [])]
        .filter(({ group }) => group !== registryGroup)
        .flatMap(({ group }) => {
          const rows = disk.groups.get(group)?.rows.range(everything).length ?? 0;
          return rows > 1 ? [`${rows - 1} rows of group ${group} on ${id}`] : [];
        }),
    );
  await cluster.until(
    () => cluster.time.events % 64 === 0 && left().length === 0,
    livenessMs,
    () => `the history is empty: ${left().slice(0, 5).join('; ')}`,
  );
}

function describeUnsettled(cluster: SimCluster): string {
  const lines: string[] = [];
  for (const { shard, group } of cluster.committed.groups.values()) {
    for (const id of shard?.hotIds() ?? []) {
      const record = shard?.record(id);
      const live = record?.attempts[record.attempts.length - 1];
      lines.push(
        `${id} of shard ${group} ${record?.state} fence ${record?.fence} on ${live?.node}`,
      );
      if (lines.length > 5) return lines.join('; ');
    }
  }
  return lines.join('; ');
}

function caughtUp(cluster: SimCluster): boolean {
  for (const { node } of cluster.nodes) {
    for (const replica of node?.loop.replicas() ?? []) {
      const group = cluster.committed.groups.get(replica.group);
      if (replica.applied !== group?.entries.length) return false;
    }
  }
  return true;
}
