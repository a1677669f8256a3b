/**
 * Workflows and dependencies in whole clusters: across shards, leaders that change, messages that
 * are lost and come twice, machines that restart. Every task that waits for others is decided
 * exactly once, as their ends say, and none waits for ever.
 */
import { expect, test } from 'vitest';
import { formatTaskId, slotCount, type TaskId } from '../../src/model/ids.ts';
import { noResources } from '../../src/model/resources.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import { isSettled } from '../../src/model/task.ts';
import { type When, whens } from '../../src/model/when.ts';
import { workflowTaskId } from '../../src/model/workflow.ts';
import type { NodeApi } from '../../src/ports/node-api.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import type { WorkflowTaskRequest } from '../../src/ports/workflow-api.ts';
import { SimCluster } from './cluster.ts';
import { drawOptions, type SimOptions } from './options.ts';
import { runSeed, setUp } from './run.ts';

const timeout = 600_000;
const actor = { name: 'client', tenant: 'default' };

const aTask = (name: string, parts: Partial<TaskSpec> = {}): TaskSpec => ({
  tenant: 'default',
  owner: 'client',
  name,
  run: { kind: 'command', argv: ['sim', 'ms=5'] },
  env: [],
  cwd: '',
  tier: 'basic',
  request: { ...noResources, cpuMilli: 10 },
  limit: noResources,
  labels: [],
  require: [],
  attempts: 1,
  backoff: { initialMs: 0, maxMs: 0 },
  capMs: 0,
  graceMs: 200,
  leaseMs: 5_000,
  outputBytesMax: 1_000,
  ...parts,
});

/** Answers after which the same request, with the same IDs, is sent again. */
const again = new Set([
  ...['noQuorum', 'outcomeUnknown', 'overloaded', 'starting', 'notLeader', 'notYet'],
  ...['nodeUnreachable', 'unreachable', 'diskFull'],
]);

interface Child {
  readonly id: TaskId;
  readonly after: readonly TaskId[];
  readonly when: When;
}

/** Set up, and every node knows that all of them read workflows. */
async function ready(cluster: SimCluster): Promise<void> {
  await setUp(cluster);
  await cluster.until(
    () => cluster.nodes.every(({ node }) => (node?.context.clusterVersion() ?? 0) >= 3),
    60_000,
    () => 'the cluster version is raised',
  );
}

/** Somebody who submits tasks that wait for others, and workflows, until he is told to stop. */
class Planner {
  readonly #cluster: SimCluster;
  readonly #below: (count: number) => number;
  readonly children: Child[] = [];
  readonly workflows: TaskId[] = [];
  readonly #tasks: TaskId[] = [];
  #active = true;
  #drawn = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    const random = cluster.random('planner');
    this.#below = count => Math.floor((random.uint32() / 2 ** 32) * count);
  }

  start(): () => void {
    const next = (): void => {
      if (!this.#active) return;
      if (this.#below(5) === 0) this.#workflow();
      else this.#task();
      this.#cluster.time.after(200 + this.#below(1_500), next);
    };
    next();
    return () => {
      this.#active = false;
    };
  }

  #id(): TaskId {
    return formatTaskId({
      atMs: 1_767_225_600_000 + Math.floor(this.#cluster.time.nowMs),
      slot: this.#below(slotCount),
      random: 1e9 + 1_000 * this.#drawn++,
    });
  }

  #spec(name: string, parts: Partial<TaskSpec> = {}): TaskSpec {
    const words = ['sim', `ms=${5 + this.#below(1_500)}`];
    if (this.#below(5) === 0) words.push('exit=1');
    return aTask(name, { run: { kind: 'command', argv: words }, ...parts });
  }

  #when(): When {
    return whens[this.#below(3)]!;
  }

  #task(): void {
    const id = this.#id();
    const parents = new Set<TaskId>();
    for (let count = this.#below(4); count > 0 && this.#tasks.length > 0; count--) {
      parents.add(this.#tasks[this.#below(this.#tasks.length)]!);
    }
    const after = [...parents];
    const when = this.#when();
    const spec = this.#spec('', after.length > 0 ? { after, when } : {});
    this.#insist(
      async api => (await api.submit([{ id, spec }], actor))[0]!,
      () => {
        this.#tasks.push(id);
        if (after.length > 0) this.children.push({ id, after, when });
      },
    );
  }

  #workflow(): void {
    const id = this.#id();
    const tasks: WorkflowTaskRequest[] = [];
    const count = 1 + this.#below(12);
    for (let index = 0; index < count; index++) {
      const parents = Array.from({ length: index }, (_, parent) => parent).filter(
        () => this.#below(3) === 0,
      );
      const outside = this.#below(6) === 0 && this.#tasks.length > 0;
      const after = outside ? [this.#tasks[this.#below(this.#tasks.length)]!] : undefined;
      const waits = parents.length > 0 || outside;
      const spec = this.#spec(`t${index}`, { after, when: waits ? this.#when() : undefined });
      tasks.push({ spec, parents });
    }
    const request = { id, name: 'sim', tenant: 'default', owner: 'client', tasks };
    this.#insist(
      api => api.workflows.submit(request, actor),
      () => {
        this.workflows.push(id);
        this.#tasks.push(...tasks.map((_, index) => workflowTaskId(id, index)));
        if (this.#below(8) !== 0) return;
        this.#insist(
          api => api.workflows.cancel(id, 'not wanted', actor),
          () => undefined,
        );
      },
    );
  }

  /** Sends it until there is a definite answer: nothing may be left half submitted. */
  #insist(ask: (api: NodeApi) => Promise<SubmitReply>, done: () => void): void {
    const nodes = this.#cluster.nodes.filter(node => node.running);
    const asked = nodes[this.#below(nodes.length)];
    const retry = (): void => void this.#cluster.time.after(300, () => this.#insist(ask, done));
    if (asked?.node === undefined) {
      retry();
      return;
    }
    let answered = false;
    const { process } = asked;
    // The answer of a node that dies never comes.
    this.#cluster.time.after(10_000, () => {
      if (!answered) retry();
      answered = true;
    });
    ask(asked.node.api).then(
      reply => {
        if (answered || process?.alive !== true) return;
        answered = true;
        if (reply.ok) done();
        else if (again.has(reply.code)) retry();
        else expect(reply.code).toBe('alreadySettled');
      },
      () => {
        if (!answered) retry();
        answered = true;
      },
    );
  }
}

const circumstances: Partial<SimOptions> = {
  nodes: 3,
  shards: 4,
  growUnderLoad: false,
  skewedClocks: false,
  events: 25_000,
  faults: ['crash', 'partition', 'oneWay', 'transfer', 'pause', 'powerLoss'],
  faultEveryMs: 3_000,
  requestEveryMs: 2_000,
  historyMs: undefined,
};

/** What has to become of a task whose parents ended so, unless somebody cancelled it. */
function expected(when: When, succeeded: readonly boolean[]): 'runs' | 'aborted' {
  if (when === 'always') return 'runs';
  if (when === 'success') return succeeded.every(Boolean) ? 'runs' : 'aborted';
  return succeeded.some(one => !one) ? 'runs' : 'aborted';
}

test.each([1, 2, 3])(
  'dependencies are decided once, and none waits for ever (seed %s)',
  { timeout },
  async seed => {
    let planner: Planner | undefined;
    let cluster: SimCluster | undefined;
    const result = await runSeed(seed, {
      options: circumstances,
      operator: simulated => {
        cluster = simulated;
        planner = new Planner(simulated);
        return planner.start();
      },
    });
    const told = [result.message, ...result.last.slice(-60), ...result.state].join('\n');
    expect(result.verdict, told).toBe('ok');
    const { children, workflows } = planner!;
    expect(children.length).toBeGreaterThan(5);
    expect(workflows.length).toBeGreaterThan(1);
    expect(result.coverage.get('deliver')).toBeGreaterThan(10);
    const { api } = cluster!.nodes[0]!.node!;
    const read = <T>(work: Promise<T>): Promise<T> => cluster!.finish(work, 30_000, 'it is read');
    let judged = 0;
    for (const { id, after, when } of children) {
      const view = await read(api.get(id));
      expect(isSettled(view.state)).toBe(true);
      const parents = [];
      for (const parent of after) parents.push(await read(api.get(parent)));
      // What was not needed has not failed; what follows from it is told by the unit tests.
      if (parents.some(parent => parent.reason?.startsWith('not needed'))) continue;
      judged++;
      const wanted = expected(
        when,
        parents.map(({ state }) => state === 'succeeded'),
      );
      const attempts = view.attempts.length > 0;
      expect(attempts ? 'runs' : 'aborted', `${id} ${when}: ${view.reason}`).toBe(wanted);
    }
    expect(judged).toBeGreaterThan(0);
    for (const id of workflows) {
      const view = await read(api.workflows.get(id));
      expect(['succeeded', 'failed', 'cancelled', 'aborted']).toContain(view.state);
      expect(view.tasks.every(task => task.state !== 'missing' && isSettled(task.state))).toBe(
        true,
      );
    }
  },
);

test('a workflow of ten thousand tasks settles in the order of its graph', {
  timeout,
}, async () => {
  const cluster = new SimCluster({
    ...drawOptions(1),
    nodes: 3,
    shards: 2,
    growUnderLoad: false,
    skewedClocks: false,
    clockRatePerMille: 0,
    wallOffsetMs: 0,
    faults: [],
  });
  await ready(cluster);
  const random = cluster.random('graph');
  const total = 10_000;
  const tasks = Array.from({ length: total }, (_, index): WorkflowTaskRequest => {
    const parents = new Set<number>();
    for (let count = 0; count < 3 && index > 0; count++) {
      // Near ones make it deep, far ones make it wide.
      const back = count === 0 ? 1 + (random.uint32() % 200) : random.uint32();
      parents.add(Math.max(0, index - 1 - (back % index)));
    }
    return { spec: aTask(`t${index}`, { run: { kind: 'null' } }), parents: [...parents] };
  });
  const settled = new Map<string, number>();
  let disorder = 0;
  let id: TaskId | undefined;
  cluster.committed.listen({
    applied: (_group, _command, effects) => {
      for (const effect of effects) {
        if (effect.kind === 'settled') settled.set(effect.taskId, settled.size);
        if (effect.kind !== 'assigned' || id === undefined) continue;
        const index = Number.parseInt(indexOf.get(effect.taskId) ?? '-1', 10);
        const parents = tasks[index]?.parents ?? [];
        if (parents.some(parent => !settled.has(workflowTaskId(id!, parent)))) disorder++;
      }
    },
  });
  const indexOf = new Map<string, string>();
  const { api } = cluster.nodes[1]!.node!;
  const mine = formatTaskId({ atMs: 1_767_225_600_000, slot: 9, random: 77 });
  for (const index of tasks.keys()) indexOf.set(workflowTaskId(mine, index), String(index));
  id = mine;
  const request = { id, name: 'large', tenant: 'default', owner: 'client', tasks };
  const taken = api.workflows.submit(request, actor);
  const reply = await cluster.finish(taken, 120_000, 'it is taken');
  expect(reply).toMatchObject({ ok: true, id });
  await cluster.until(
    () => settled.size >= total,
    3_600_000,
    () => `${settled.size} of ${total} tasks have settled`,
  );
  expect(disorder).toBe(0);
  const view = await cluster.finish(api.workflows.get(id), 60_000, 'it is read');
  expect(view.state).toBe('succeeded');
  expect(view.tasks).toHaveLength(total);
  expect(view.tasks.every(({ state }) => state === 'succeeded')).toBe(true);
});

test('what parents hand on reaches their children', { timeout }, async () => {
  const cluster = new SimCluster({
    ...drawOptions(2),
    nodes: 3,
    shards: 4,
    growUnderLoad: false,
    skewedClocks: false,
    faults: [],
  });
  await ready(cluster);
  const { api } = cluster.nodes[0]!.node!;
  const hand = (text: string): Partial<TaskSpec> => ({
    run: { kind: 'command', argv: ['sim', `hand=${text}`] },
  });
  const id = formatTaskId({ atMs: 1_767_225_600_000, slot: 3, random: 5 });
  const last = workflowTaskId(id, 3);
  const beyond = formatTaskId({ atMs: 1_767_225_600_000, slot: 4, random: 6 });
  const collect = { run: { kind: 'command', argv: ['sim', 'collect'] } } as const;
  const tasks = [
    { spec: aTask('a', hand('one')), parents: [] },
    { spec: aTask('b', hand('two')), parents: [0] },
    { spec: aTask('c'), parents: [0] },
    { spec: aTask('d', collect), parents: [1, 2] },
  ];
  const request = { id, name: 'handing', tenant: 'default', owner: 'client', tasks };
  const reply = await cluster.finish(api.workflows.submit(request, actor), 60_000, 'it is taken');
  expect(reply).toMatchObject({ ok: true, id });
  const spec = aTask('e', { ...collect, after: [last] });
  await cluster.finish(api.submit([{ id: beyond, spec }], actor), 60_000, 'it is taken');
  const signal = new AbortController().signal;
  const view = await cluster.finish(api.wait(beyond, 60_000, signal), 70_000, 'it settles');
  expect(view.outcome?.output).toBe(`${last}:b:two`);
});
