/**
 * A whole run: probe what the faults need, make the cluster, work and break it at once, heal, wait
 * until everything has settled, compare, take everything down, and hold the promises against what
 * was seen. However it ends, no process, mount or namespace of it is left.
 */
import { kindsOf, type Lack } from './abilities.ts';
import { untilVersion } from './asking.ts';
import { numberFirings, readAttemptLog, taskProgram } from './attempt-log.ts';
import { BoundWatch } from './bound-watch.ts';
import { type CheckResult, checkHistory } from './checks.ts';
import type { Cluster, ClusterSource, TaskFiles } from './cluster.ts';
import type { History, TaskRecord } from './history.ts';
import { Observer } from './observer.ts';
import { uptimeS } from './processes.ts';
import type { Scenario } from './scenario.ts';
import { planFaults } from './schedule.ts';
import { ScheduledWork } from './scheduled-work.ts';
import { type SourceOptions, sourceFor } from './sources.ts';
import { Timeline } from './timeline.ts';
import { Interrupted, pause, until } from './until.ts';
import { Workload } from './workload.ts';

const settledStates = ['succeeded', 'failed', 'cancelled', 'aborted'];
const readersMax = 16;
const readMs = 10_000;
const levelMs = 30_000;
const toldMs = 30_000;
const tickMs = 1_000;

/** Told while a run is under way. */
export type RunNews =
  | { readonly kind: 'step'; readonly text: string }
  | { readonly kind: 'fault'; readonly atMs: number; readonly text: string }
  | {
      readonly kind: 'tick';
      readonly atMs: number;
      readonly submitted: number;
      readonly acked: number;
      readonly led: number;
      readonly shards: number;
      readonly up: number;
      readonly nodes: number;
      readonly active: readonly string[];
    };

export interface RunOptions extends SourceOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onNews: (news: RunNews) => void;
}

export type RunResult =
  | { readonly verdict: 'skipped'; readonly lacks: readonly Lack[] }
  | {
      readonly verdict: 'green' | 'red';
      readonly history: History;
      readonly checks: readonly CheckResult[];
    };

/** Runs the scenario; rejects with `Interrupted`, or where no cluster could be made. */
export async function runScenario(options: RunOptions): Promise<RunResult> {
  const { scenario } = options;
  const kinds = kindsOf(scenario);
  const source = sourceFor(options);
  const lacks = await source.findLacks(kinds, scenario);
  if (lacks.length > 0) return { verdict: 'skipped', lacks };
  const run = new Run(options);
  const history = await run.live(source);
  const checks = checkHistory(history, scenario.checks);
  return { verdict: checks.every(check => check.ok) ? 'green' : 'red', history, checks };
}

/** What is known once the cluster is gone; the rest of the history was seen before. */
type Seen = Omit<History, 'leftovers'>;

interface Parts {
  readonly observer: Observer;
  readonly workload: Workload;
  readonly scheduled: ScheduledWork | undefined;
  readonly watch: BoundWatch | undefined;
  readonly timeline: Timeline;
}

class Run {
  readonly #options: RunOptions;
  /** Aborted by whoever started the run, or where a part of it fails: then all of it ends. */
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #startMs = performance.now();
  #scheduled: ScheduledWork | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#ending.signal]);
  }

  readonly #sinceStartMs = (): number => performance.now() - this.#startMs;

  #step(text: string): void {
    this.#options.onNews({ kind: 'step', text });
  }

  /** The run from the first to the last process. */
  async live(source: ClusterSource): Promise<History> {
    const { scenario, seed } = this.#options;
    const cluster = await source.prepare({
      ...{ scenario, seed, kinds: kindsOf(scenario) },
      ...{ signal: this.#signal, sinceStartMs: this.#sinceStartMs },
    });
    const say = (text: string): void => this.#step(text);
    let seen: Seen;
    try {
      await cluster.begin(say);
      seen = await this.#observe(cluster);
    } catch (error) {
      this.#ending.abort();
      for (const left of await this.#end(cluster, false)) this.#step(`left behind: ${left}`);
      throw error;
    }
    return { ...seen, leftovers: await this.#end(cluster, true) };
  }

  /** What is left of the run; of a cluster of its own not even the schedules are. */
  async #end(cluster: Cluster, inOrder: boolean): Promise<string[]> {
    const left = await cluster.end(inOrder, text => this.#step(text));
    if (!cluster.traits.attached) return left;
    return [...left, ...((await this.#scheduled?.takeAway()) ?? [])];
  }

  /** Work that the scenario asks for beside the plain tasks: all of it is there before a fault. */
  async #prepare(cluster: Cluster, files: TaskFiles) {
    const { ordered, bounded, schedules } = this.#options.scenario;
    const signal = this.#signal;
    const fires = schedules.once + schedules.everyMinute > 0;
    const bounds = bounded.percent > 0;
    if (fires || bounds || ordered.percent > 0) await untilVersion(cluster, signal);
    if (fires) {
      this.#scheduled = new ScheduledWork(cluster, this.#options.scenario, { files, signal });
      await this.#scheduled.prepare();
    }
    const watch = bounds ? new BoundWatch(cluster) : undefined;
    await watch?.begin(toldMs, signal);
    return { scheduled: this.#scheduled, watch };
  }

  async #observe(cluster: Cluster): Promise<Seen> {
    const { scenario, seed } = this.#options;
    const clock = { sinceStartMs: this.#sinceStartMs, signal: this.#signal };
    const observer = new Observer(cluster, clock.sinceStartMs);
    const files = await cluster.layTaskFiles(taskProgram);
    const workload = new Workload(cluster, scenario, seed, { files, ...clock });
    const { scheduled, watch } = await this.#prepare(cluster, files);
    this.#startMs = performance.now();
    const upAtStartS = uptimeS();
    observer.begin();
    try {
      const timeline = new Timeline({
        ...{ cluster, observer, ...clock },
        onFault: text => this.#options.onNews({ kind: 'fault', atMs: this.#sinceStartMs(), text }),
        probe: () => workload.probe(),
      });
      const parts = { observer, workload, scheduled, watch, timeline };
      const work = await this.#work(cluster, parts);
      this.#step('comparing the replicas');
      const comparison = await observer.compareAtEnd(levelMs, this.#signal);
      await workload.repeat();
      return {
        ...{ seed, nodes: cluster.nodes.length, shards: cluster.shards, upAtStartS, comparison },
        ...{ endMs: this.#sinceStartMs(), ...work },
        ...{ told: watch?.told ?? new Map(), toldWhole: watch?.whole ?? true },
        submits: workload.submits,
        lines: numberFirings(
          readAttemptLog(await cluster.readTaskLog()),
          workload.submits.length + 1,
        ),
        faults: timeline.records.toSorted((left, right) => left.number - right.number),
        leaders: observer.samples,
        spans: timeline.spans,
        unexpectedEnds: cluster.unexpectedEnds,
        ...cluster.traits,
      };
    } finally {
      workload.abandon();
      await watch?.end();
      await observer.end();
    }
  }

  /** Works and breaks at once, then heals and waits for what was acknowledged. */
  async #work(cluster: Cluster, parts: Parts) {
    const { scenario, seed } = this.#options;
    const { workload, scheduled, watch, timeline } = parts;
    const ticking = this.#tick(cluster, parts);
    const faults = planFaults(scenario, seed);
    this.#step(`${scenario.rate} tasks a second; faults: ${faults.length}`);
    // One that fails ends the other at its next step.
    let broken = true;
    const breaking = timeline.run(faults).finally(() => (broken = false));
    // A fault may take longer than planned: what is broken is used meanwhile.
    const both = [workload.run(() => broken), breaking];
    for (const work of both) work.catch(() => this.#ending.abort());
    const ended = await Promise.allSettled(both);
    const failure = ended.find(one => one.status === 'rejected' && !isInterruption(one.reason));
    if (failure?.status === 'rejected') throw failure.reason;
    if (this.#signal.aborted) throw new Interrupted('interrupted');
    await timeline.bringAllBack();
    const workEndMs = this.#sinceStartMs();
    this.#step('healed; waiting for every task to settle');
    await workload.drain(scenario.checks.settleWithinMs);
    const { settleWithinMs } = scenario.checks;
    const fired = (await scheduled?.finish(settleWithinMs)) ?? [];
    const ids = workload.submits.flatMap(submit =>
      submit.ackedMs === undefined ? [] : submit.id!,
    );
    const tasks = await this.#untilSettled(cluster, [...ids, ...fired], settleWithinMs);
    const settledMs = this.#sinceStartMs();
    const late = ids.filter(id => tasks.get(id)?.boundMissed === true);
    await watch?.untilTold(late, toldMs, this.#signal);
    ticking.abort();
    const schedules = scheduled?.records(fired, tasks, isSettled) ?? [];
    return { workEndMs, settledMs, tasks, schedules };
  }

  #tick(cluster: Cluster, parts: Parts): AbortController {
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#signal, ended.signal]);
    const loop = async (): Promise<void> => {
      for (;;) {
        this.#news(cluster, parts);
        await pause(tickMs, signal);
      }
    };
    // Ends by its signal only.
    loop().catch(() => undefined);
    return ended;
  }

  #news(cluster: Cluster, parts: Parts): void {
    this.#options.onNews({
      kind: 'tick',
      atMs: this.#sinceStartMs(),
      submitted: parts.workload.submits.length,
      acked: parts.workload.acked,
      led: parts.observer.leaders().filter(leader => leader !== 0).length,
      shards: cluster.shards,
      up: cluster.nodes.filter(node => node.awake).length,
      nodes: cluster.nodes.length,
      active: parts.timeline.active,
    });
  }

  /** Every task as it is recorded once it has settled, or when the time is up. */
  async #untilSettled(cluster: Cluster, ids: readonly string[], limitMs: number) {
    const tasks = new Map<string, TaskRecord | undefined>();
    let open = [...new Set(ids)];
    await until(
      async () => {
        const queue = [...open];
        const still: string[] = [];
        const read = async (): Promise<void> => {
          for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
            const task = await this.#read(cluster, id);
            if (task !== 'unknown') tasks.set(id, task);
            if (typeof task !== 'object' || !isSettled(task)) still.push(id);
          }
        };
        await Promise.all(Array.from({ length: readersMax }, read));
        open = still;
        return open.length === 0;
      },
      { limitMs, pollMs: 500, signal: this.#signal },
    );
    return tasks;
  }

  /** `undefined` where the cluster says that there is no such task. */
  async #read(cluster: Cluster, id: string): Promise<TaskRecord | undefined | 'unknown'> {
    const node = cluster.nodes.find(one => one.awake);
    if (node === undefined) return 'unknown';
    try {
      const path = `/v1/tasks/${id}`;
      const { status, body } = await cluster.call(node, path, { limitMs: readMs });
      if (status === 404) return undefined;
      return status === 200 ? (body as TaskRecord) : 'unknown';
    } catch {
      // Not answered: asked again.
      return 'unknown';
    }
  }
}

const isSettled = ({ state }: TaskRecord): boolean => settledStates.includes(state);

const isInterruption = (error: unknown): boolean => error instanceof Interrupted;
