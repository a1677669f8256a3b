/**
 * A whole cluster in one thread and one seed: real nodes on simulated machines, held against the
 * checkers after every event. What happens to it is decided elsewhere (`nemesis.ts`,
 * `workload.ts`).
 */
import type { NodeId } from '../../src/model/ids.ts';
import type { Resources } from '../../src/model/resources.ts';
import { formatDuration } from '../../src/model/time.ts';
import type { LogLimits } from '../../src/node/log-policy.ts';
import { bootstrapOps } from '../../src/node/make-cluster.ts';
import { sha256Hex } from '../../src/node/sha256.ts';
import type { Random } from '../../src/ports/clock.ts';
import type { Runner } from '../../src/ports/runner.ts';
import { AcknowledgedChecker } from './checkers/acknowledged.ts';
import { AttemptsChecker } from './checkers/attempts.ts';
import { BoundsChecker } from './checkers/bounds.ts';
import type { Checker } from './checkers/checker.ts';
import { CommittedChecker } from './checkers/committed.ts';
import { LeadersChecker } from './checkers/leaders.ts';
import { MembersChecker } from './checkers/members.ts';
import { OrderChecker } from './checkers/order.ts';
import { PromisesChecker } from './checkers/promises.ts';
import { RoomChecker } from './checkers/room.ts';
import { StoredChecker } from './checkers/stored.ts';
import { TaskHistory } from './history/task-history.ts';
import type { SimOptions } from './options.ts';
import { LevelDisk } from './sim-level.ts';
import { createSimNet, type SimNet, type SimNetOptions } from './sim-net.ts';
import { SimNode, type SimNodeWorld } from './sim-node.ts';
import { MachineClock } from './sim-process.ts';
import { createSimRunner, type SimRunnerOptions } from './sim-runner.ts';
import type { createSimStore } from './sim-store.ts';
import { Trace } from './trace.ts';
import { check, Violation } from './violation.ts';
import { seededRandom, VirtualTime } from './virtual-time.ts';
import { WatchedDisk } from './watched-disk.ts';

/** Bugs planted from outside, through the ports. */
export interface Plants {
  readonly makeNet?: ((options: SimNetOptions) => SimNet) | undefined;
  readonly makeStore?: typeof createSimStore | undefined;
  readonly wrapRunner?: ((runner: Runner, time: VirtualTime) => Runner) | undefined;
  readonly makeRunner?: typeof createSimRunner | undefined;
  /** Rate of the clock of the machine with this index. */
  readonly clockRate?: ((index: number) => number) | undefined;
  /** Nodes are told to have so many times the resources of their machines. */
  readonly believedCapacity?: number | undefined;
}

export const simAdminToken = 'the token of the administrator';

export class SimCluster {
  readonly options: SimOptions;
  readonly time = new VirtualTime();
  readonly trace: Trace;
  readonly net: SimNet;
  readonly nodes: SimNode[] = [];
  /** Machines whose node was removed from the cluster, and ended. */
  readonly retired: SimNode[] = [];
  readonly acknowledged = new AcknowledgedChecker();
  readonly attempts: AttemptsChecker;
  readonly order = new OrderChecker();
  readonly history = new TaskHistory(() => this.time.events);
  readonly committed: CommittedChecker;
  /** Shared by all disks; the nemesis changes it. */
  readonly storeFaults = { slowPerMillion: 0, failPerMillion: 0 };
  readonly #plants: Plants;
  readonly #checkers: Checker[];
  readonly #stored = new StoredChecker();
  readonly #touched = new Set<SimNode>();
  readonly #world: SimNodeWorld;
  #failure: Violation | undefined;
  /** Disk faults crash a node; the nemesis starts it again. */
  onStorageFault: (node: SimNode) => void = () => undefined;
  /** A node with an old copy of its disk has ended by itself; an operator gives it another one. */
  onRefusal: (node: SimNode) => void = () => undefined;
  joinSecret: Uint8Array | undefined;
  /** Nodes whose removal somebody has asked for. */
  readonly leaving = new Set<NodeId>();

  constructor(
    options: SimOptions,
    extra: { readonly echo?: ((line: string) => void) | undefined; readonly plants?: Plants } = {},
  ) {
    this.options = options;
    this.#plants = extra.plants ?? {};
    this.trace = new Trace(() => this.time.nowMs, extra.echo);
    const makeNet = this.#plants.makeNet ?? createSimNet;
    this.net = makeNet({
      scheduler: {
        nowMs: () => this.time.nowMs,
        after: (delayMs, fire) => this.time.after(delayMs, fire),
      },
      random: this.random('net'),
    });
    this.attempts = new AttemptsChecker(this.trace, { mayOverlap: options.skewedClocks });
    this.committed = new CommittedChecker(this.trace, [
      this.acknowledged,
      this.attempts,
      this.order,
      this.history,
    ]);
    this.#checkers = [
      new LeadersChecker(this.trace, this.committed),
      new MembersChecker(),
      new BoundsChecker(),
      new PromisesChecker(),
      new RoomChecker(),
      this.committed,
      this.acknowledged,
    ];
    this.#world = {
      net: this.net,
      trace: this.trace,
      storeFaults: this.storeFaults,
      entered: node => this.#touched.add(node),
      sent: (node, peer, frame) => {
        for (const checker of this.#checkers) checker.sent?.(node, peer, frame);
      },
      fatal: (node, error) => this.#fatal(node, error),
      leaves: node => this.#leaves(node),
    };
  }

  random(stream: string): Random {
    return seededRandom(this.options.seed, stream);
  }

  machine(id: NodeId): SimNode | undefined {
    return [...this.nodes, ...this.retired].find(node => node.id === id);
  }

  /** A machine with an empty disk, or the first one with a whole cluster on it; not started yet. */
  addMachine(): SimNode {
    const id = `n${this.nodes.length + this.retired.length + 1}`;
    const random = this.random(id);
    const { wallOffsetMs } = this.options;
    const spread = (most: number): number =>
      most === 0 ? 0 : (random.uint32() % (2 * most + 1)) - most;
    const clock = new MachineClock(
      this.time,
      this.#plants.clockRate?.(this.nodes.length) ?? this.#clockRate(spread),
      spread(wallOffsetMs),
    );
    const disk = this.emptyDisk();
    const storeId = `store-${id}`;
    disk.header = { clusterId: 'simulated', nodeId: id, storeId };
    const first = this.nodes[0];
    if (first === undefined) {
      // `cluster init` has opened the store once.
      disk.bootCount = 1;
      disk.commit(
        bootstrapOps({
          clusterId: 'simulated',
          clusterName: 'simulated',
          nodeId: id,
          nodeName: id,
          storeId,
          shards: this.options.shards,
          replication: this.options.replication,
          atMs: clock.wallMs(),
          adminTokenSha256: sha256Hex(Buffer.from(simAdminToken)),
          settings: settingsOf(this.options),
        }),
      );
    }
    const total: Resources = {
      cpuMilli: 2_000 + 1_000 * (random.uint32() % 7),
      memoryBytes: 8e9,
      diskBytes: 1e9,
      iops: 1_000,
      bandwidth: 1e6,
      ports: 10,
    };
    const mayLeave = this.options.deadAfterMs !== undefined;
    let node: SimNode | undefined;
    const runnerOptions: SimRunnerOptions = {
      scheduler: {
        after: (delayMs, fire) =>
          clock.after(delayMs, () => {
            if (node !== undefined) this.#touched.add(node);
            fire();
          }),
      },
      random,
      clock,
    };
    const { wrapRunner, makeRunner } = this.#plants;
    const drawnTier = (['basic', 'regular', 'premium'] as const)[random.uint32() % 3]!;
    node = new SimNode({
      id,
      clock,
      random,
      disk,
      runner: (makeRunner ?? createSimRunner)(runnerOptions),
      // Where nodes are removed, none may be the only one that can run a task.
      tier: mayLeave ? 'premium' : drawnTier,
      total: mayLeave ? { ...total, cpuMilli: 8_000 } : total,
      believedCapacity: this.#plants.believedCapacity ?? 1,
      joinSecret: first === undefined ? undefined : this.joinSecret,
      bootstrap: () => this.#contacts(id).map(node => ({ node, addresses: [`/sim/${node}`] })),
      world: this.#world,
      wrapRunner: wrapRunner === undefined ? undefined : runner => wrapRunner(runner, this.time),
      makeStore: this.#plants.makeStore,
      logLimits: shortLog(this.options.logEntriesKept),
      watchesRoom: this.options.faults.includes('diskFull'),
    });
    this.nodes.push(node);
    return node;
  }

  /** Nodes of the join token: the first, or all where that one may be removed. */
  #contacts(self: NodeId): NodeId[] {
    const { deadAfterMs } = this.options;
    const known = deadAfterMs === undefined ? this.nodes.slice(0, 1) : this.nodes;
    return known.map(({ id }) => id).filter(id => id !== self);
  }

  #clockRate(spread: (most: number) => number): number {
    const { clockRatePerMille, skewedClocks } = this.options;
    return skewedClocks ? 2 ** (spread(1_000) / 1_000) : 1 + spread(clockRatePerMille) / 1_000;
  }

  emptyDisk(): WatchedDisk {
    const real = this.options.realStore && this.#plants.makeStore === undefined;
    return new WatchedDisk(this.#stored, real ? new LevelDisk() : undefined);
  }

  boot(node: SimNode): void {
    node.boot();
  }

  /**
   * A stop may end in the event in which the last submit was committed and answered. A node whose
   * store has failed shows nothing any more.
   */
  #leaves(node: SimNode): void {
    try {
      this.committed.afterEvent(node);
    } catch (error) {
      if (!isStorageFault(error)) this.fail(asViolation(error));
    }
  }

  #fatal(node: SimNode, error: unknown): void {
    const code = (error as { code?: string }).code;
    if (isStorageFault(error)) {
      this.trace.note(node.id, 'the disk failed');
      this.onStorageFault(node);
      return;
    }
    if (code === 'nodeRemoved' && this.leaving.has(node.id)) {
      this.trace.note(node.id, 'ends: it was removed');
      node.crash({ power: true });
      const at = this.nodes.indexOf(node);
      if (at >= 0) this.retired.push(...this.nodes.splice(at, 1));
      return;
    }
    if (node.rolledBack) {
      this.trace.note(node.id, `refuses to go on with an old disk: ${String(error)}`);
      this.onRefusal(node);
      return;
    }
    const { verdict, message } = asViolation(error);
    this.fail(new Violation(verdict, `${node.id} cannot go on: ${message}`));
  }

  /** The first failure counts; it ends the run after the event that is under way. */
  fail(failure: Violation): void {
    this.#failure ??= failure;
  }

  /** Fires the next event, lets every promise that it settled go on, and checks. */
  async step(): Promise<void> {
    // What was called from outside may only now ask for its first event.
    if (this.time.pending === 0) await macrotask();
    try {
      if (!this.time.step()) throw new Violation('liveness', 'nothing is left to happen');
    } catch (error) {
      throw asViolation(error);
    }
    await macrotask();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#touched.size > 0) this.#check();
    if (this.time.events % 500 === 0) this.sweep();
  }

  #check(): void {
    const touched = [...this.#touched];
    this.#touched.clear();
    try {
      // What was committed comes first: a process that started was assigned before.
      for (const checker of this.#checkers) {
        for (const node of touched) checker.afterEvent?.(node);
      }
      for (const node of touched) this.attempts.look(this, node.id, node.runner.intervals);
      for (const node of touched) {
        const takenIn = node.rolledBack && node.node?.ready === true;
        check(!takenIn, () => `${node.id} was taken in with a disk that was rolled back`);
      }
    } catch (error) {
      throw asViolation(error);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  sweep(): void {
    try {
      for (const checker of this.#checkers) checker.sweep?.(this);
      for (const { node } of this.nodes) node?.worker.reactor.invariants();
    } catch (error) {
      throw asViolation(error);
    }
  }

  final(): void {
    try {
      for (const checker of this.#checkers) checker.final?.(this);
      this.history.verify();
    } catch (error) {
      throw asViolation(error);
    }
  }

  /** Steps until `holds`, at most `limitMs` of virtual time; then it is a liveness failure. */
  async until(holds: () => boolean, limitMs: number, what: () => string): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    while (!holds()) {
      if (this.time.nowMs > endMs) {
        throw new Violation('liveness', `not within ${limitMs} ms: ${what()}`);
      }
      await this.step();
    }
  }

  /** Steps until `work` is done and gives its result. */
  async finish<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
    let outcome: { ok: true; value: T } | { ok: false; error: unknown } | undefined;
    work.then(
      value => {
        outcome = { ok: true, value };
      },
      (error: unknown) => {
        outcome = { ok: false, error };
      },
    );
    await this.until(
      () => outcome !== undefined,
      limitMs,
      () => what,
    );
    if (outcome?.ok === true) return outcome.value;
    throw outcome?.error;
  }
}

const shortLog = (entriesKept: number): LogLimits | undefined =>
  entriesKept === 0
    ? undefined
    : { entriesKept, entriesSpare: 2 * entriesKept, bytesSpare: 50_000, bytesMax: 100_000 };

const isStorageFault = (error: unknown): boolean =>
  (error as { code?: string }).code === 'storageFault';

function asViolation(error: unknown): Violation {
  if (error instanceof Violation) return error;
  if (error instanceof Error) {
    const verdict = error.name === 'AssertionError' ? 'correctness' : 'crash';
    return new Violation(verdict, error.stack ?? error.message);
  }
  return new Violation('crash', String(error));
}

/** Lets every promise that can go on do so; a turn of the real event loop. */
export const macrotask = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** Settings of the cluster from its first entry on. */
function settingsOf({ deadAfterMs, historyMs }: SimOptions): Record<string, string> {
  const settings: Record<string, string> = {};
  if (deadAfterMs !== undefined) settings['deadAfterMs'] = String(deadAfterMs);
  if (historyMs !== undefined) settings['history.maxAge'] = formatDuration(historyMs);
  return settings;
}
