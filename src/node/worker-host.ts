/**
 * The worker of this node: turns what its pure reactor asks for into calls of the runner and
 * messages to the shards' leaders, and feeds it what comes back.
 */
import { type Advertisement, encodeAdvertisement } from '../model/advertisement.ts';
import { attemptOf } from '../model/attempt.ts';
import type { NodeId, ShardId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { PortRange, Resources, Tier } from '../model/resources.ts';
import { encodeFromWorker, type FromWorker, type ToWorker } from '../model/worker-protocol.ts';
import type { AttemptOrder, Runner, RunnerHello } from '../ports/runner.ts';
import type { Launch, WorkerAction } from '../worker/action.ts';
import { WorkerReactor } from '../worker/reactor.ts';
import type { NodeShare } from '../worker/shares.ts';
import type { NodeContext } from './context.ts';
import { withLabels } from './node-labels.ts';
import type { NodeSettings } from './node-parts.ts';

const reactorTickMs = 100;

export interface WorkerSettings {
  readonly tier: Tier;
  readonly total: Resources;
  readonly ports?: PortRange | undefined;
  readonly labels: readonly (readonly [string, string])[];
  readonly prefetchMax: number;
  readonly runningMax: number;
}

/** What a node says of itself that is not the worker's. */
type NodeSide = Pick<
  Advertisement,
  'leads' | 'demand' | 'tenants' | 'httpAddress' | 'registryIndex'
>;

export class WorkerHost {
  readonly #context: NodeContext;
  readonly #runner: Runner;
  readonly #settings: WorkerSettings;
  readonly #reactor: WorkerReactor;
  readonly #deliverHere: (from: NodeId, message: FromWorker) => void;
  /** The node's side of the advertisement: what it leads and where it listens. */
  readonly #describe: () => NodeSide;
  #sequence = 0;
  #boot = 0;
  #hello: RunnerHello | undefined;
  #advertised: { bytes: Uint8Array; version: number } | undefined;
  #version = 0;
  readonly #toldPeers = new Map<NodeId, number>();
  readonly #shares: () => readonly NodeShare[];
  #kept: readonly NodeShare[] = [];
  #changed: (advertisement: Advertisement) => void;
  #stopped = false;
  #cancelTick: () => void = () => undefined;

  constructor(options: {
    readonly context: NodeContext;
    readonly runner: Runner;
    readonly settings: WorkerSettings;
    readonly deliverHere: (from: NodeId, message: FromWorker) => void;
    readonly describe: () => NodeSide;
    /** What this node keeps for reservations now; the same list while nothing has changed. */
    readonly shares: () => readonly NodeShare[];
    /** Called with a new advertisement whenever the free resources changed. */
    readonly changed: (advertisement: Advertisement) => void;
  }) {
    this.#context = options.context;
    this.#runner = options.runner;
    this.#settings = options.settings;
    this.#deliverHere = options.deliverHere;
    this.#describe = options.describe;
    this.#shares = options.shares;
    this.#changed = options.changed;
    this.#reactor = new WorkerReactor({
      node: options.context.nodeId,
      total: options.settings.total,
      ports: options.settings.ports,
      prefetchMax: options.settings.prefetchMax,
      runningMax: options.settings.runningMax,
    });
  }

  async start(boot: number): Promise<void> {
    this.#boot = boot;
    const { clock } = this.#context;
    this.#hello = await this.#runner.start({
      onStarted: (key, startedAtMs) =>
        this.#perform(this.#reactor.onStarted(key, startedAtMs, clock.bootMs())),
      onControlled: (key, control) => this.#perform(this.#reactor.onControlled(key, control)),
      onEnded: (key, outcome) => this.#perform(this.#reactor.onEnded(key, outcome, clock.bootMs())),
      onSupervisor: hello => {
        this.#hello = hello;
        this.#perform(this.#reactor.onSupervisor(hello));
      },
    });
    this.#perform(this.#reactor.onHello(this.#hello));
    const tick = (): void => {
      if (this.#stopped) return;
      this.#keepShares();
      this.#perform(this.#reactor.tick(clock.bootMs()));
      this.#cancelTick = clock.after(reactorTickMs, tick);
    };
    tick();
  }

  #keepShares(): void {
    const shares = this.#shares();
    if (shares === this.#kept) return;
    this.#kept = shares;
    this.#perform(this.#reactor.keep(shares));
    this.#tellAll();
  }

  get isolation(): Readonly<Record<string, string>> {
    return this.#hello?.isolation ?? {};
  }

  /** Those of the node, and what its supervisor says can be required of it. */
  get labels(): WorkerSettings['labels'] {
    const { labels } = this.#settings;
    const own = this.#hello?.labels;
    return own === undefined ? labels : withLabels(labels, own);
  }

  get reactor(): WorkerReactor {
    return this.#reactor;
  }

  get runner(): Runner {
    return this.#runner;
  }

  /** A message of a shard's leader. */
  onMessage(from: NodeId, message: ToWorker): void {
    if (this.#stopped) return;
    this.#perform(this.#reactor.onMessage(message, from, this.#context.clock.bootMs()));
  }

  /** While draining it takes nothing; with `endRunning`, what runs is ended and runs elsewhere. */
  drain(on: boolean, endRunning = false): void {
    const changed = this.#reactor.draining !== on;
    const actions = this.#reactor.drain(on, endRunning);
    this.#perform(actions);
    if (changed && actions.length === 0) this.#tellAll();
  }

  /** Nothing to do is to be told too: others place by it. */
  #tellAll(): void {
    if (this.#stopped) return;
    this.#version++;
    this.#advertised = undefined;
    this.#changed(this.advertisement());
  }

  #perform(actions: readonly WorkerAction[]): void {
    if (actions.length === 0 || this.#stopped) return;
    this.#version++;
    this.#advertised = undefined;
    const launches: Launch[] = [];
    for (const action of actions) {
      switch (action.kind) {
        case 'send':
          this.#send(action.shard, readableIn(this.#context.clusterVersion(), action.message));
          break;
        case 'launch':
          launches.push(action.launch);
          break;
        case 'end':
          this.#runner.end(action.key, action.outcomeKind);
          break;
        case 'control':
          this.#runner.control(action.key, action.control);
          break;
        case 'renewRunner':
          this.#runner.renew(action.shards);
          break;
        case 'acknowledge':
          this.#runner.acknowledge(action.key);
          break;
      }
    }
    // ORDER: after the renewals of the same step, so that the lease is live when it is checked.
    for (const launch of launches) this.#runner.launch(this.#order(launch));
    this.#changed(this.advertisement());
  }

  #send(shard: ShardId, told: FromWorker): void {
    const message = this.#readable(told);
    const leader = this.#context.leaderOf(shard);
    // Without a known leader it is dropped: the reactor repeats what matters.
    if (leader === undefined) return;
    if (leader === this.#context.nodeId) {
      this.#deliverHere(leader, message);
      return;
    }
    const writer = this.#context.peers.to(leader);
    if (this.#toldPeers.get(leader) !== this.#version) {
      this.#toldPeers.set(leader, this.#version);
      // The newest numbers travel with the report, so that its leader can place at once.
      writer.advert(this.advertisementBytes());
    }
    this.#context.peers.to(leader).fromWorker(encodeFromWorker(message));
  }

  /** Leaders of older programs do not read `noPorts`, nor do replicas what they would log. */
  #readable(message: FromWorker): FromWorker {
    const isNew = message.kind === 'refused' && message.why === 'noPorts';
    return isNew && this.#context.clusterVersion() < 3 ? { ...message, why: 'noRoom' } : message;
  }

  #order(launch: Launch): AttemptOrder {
    const { spec } = launch;
    const env: Record<string, string> = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
    };
    for (const [name, value] of spec.env) env[name] = value;
    env['TSCHED_TASK_ID'] = launch.taskId;
    env['TSCHED_ATTEMPT'] = String(attemptOf(launch.fence));
    env['TSCHED_FENCE'] = String(launch.fence);
    env['TSCHED_NODE'] = this.#context.nodeName;
    env['TSCHED_RUN'] = String(launch.run);
    Object.assign(env, portVariables(launch.ports));
    if (launch.arrayIndex !== undefined) env['TSCHED_ARRAY_INDEX'] = String(launch.arrayIndex);
    if (spec.gang !== undefined) {
      env['TSCHED_GANG_SIZE'] = String(spec.gang);
      env['TSCHED_GANG_RANK'] = String(launch.arrayIndex ?? 0);
      env['TSCHED_GANG_PEERS'] = (launch.peers ?? []).join(',');
    }
    return {
      key: launch.key,
      shard: launch.shard,
      taskId: launch.taskId,
      fence: launch.fence,
      attemptRun: launch.run,
      run: spec.run,
      env,
      cwd: spec.cwd,
      limit: spec.limit,
      request: spec.request,
      ports: launch.ports,
      capMs: spec.capMs,
      graceMs: spec.graceMs,
      leaseMs: spec.leaseMs,
      outputBytesMax: spec.outputBytesMax,
      inputs: launch.inputs,
      // Outcomes with an output are bytes of cluster version 3.
      handsOn: this.#context.clusterVersion() >= 3,
    };
  }

  advertisement(): Advertisement {
    const { leads, demand, tenants, httpAddress, registryIndex } = this.#describe();
    return {
      node: this.#context.nodeId,
      name: this.#context.nodeName,
      boot: this.#boot,
      sequence: ++this.#sequence,
      incarnation: this.#reactor.incarnation,
      tier: this.#settings.tier,
      total: this.#settings.total,
      free: this.#reactor.free,
      ...(this.#kept.length === 0 ? {} : { shares: this.#reactor.shares }),
      labels: this.labels,
      running: this.#reactor.running,
      queued: this.#reactor.queued,
      queueRoom: this.#reactor.queueRoom,
      leads,
      draining: this.#reactor.draining,
      httpAddress,
      registryIndex,
      demand,
      tenants,
    };
  }

  /**
   * The next advertisement is a new one, also where no number changed: it says that this node
   * lives.
   */
  refresh(): void {
    this.#version++;
  }

  /** Bytes of an advertisement with the present numbers; made once per change. */
  advertisementBytes(): Uint8Array {
    if (this.#advertised?.version !== this.#version) {
      this.#advertised = {
        bytes: encodeAdvertisement(this.advertisement()),
        version: this.#version,
      };
    }
    return this.#advertised.bytes;
  }

  async stop(options: { readonly end: boolean }): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    await this.#runner.stop(options);
  }
}

/** Programs of an earlier cluster version do not read that a supervisor ended. */
function readableIn(clusterVersion: number, message: FromWorker): FromWorker {
  if (clusterVersion >= 3 || message.kind !== 'ended') return message;
  return { ...message, outcome: { ...message.outcome, supervisorLost: undefined } };
}

/** The settings of a worker, of those of its node. */
export const workerSettingsOf = (settings: NodeSettings): WorkerSettings => ({
  tier: settings.tier,
  total: settings.total,
  ports: settings.ports,
  labels: settings.labels,
  prefetchMax: prefetchMaxOf(settings.total),
  runningMax: limits.runningMax,
});

/** How a task hears of its ports: `TSCHED_PORT` the first, `TSCHED_PORTS` all, `TSCHED_PORT_0`.. */
function portVariables(ports: readonly number[]): Record<string, string> {
  const [first] = ports;
  if (first === undefined) return {};
  const variables: Record<string, string> = {
    TSCHED_PORT: String(first),
    TSCHED_PORTS: ports.join(','),
  };
  ports.forEach((port, place) => {
    variables[`TSCHED_PORT_${place}`] = String(port);
  });
  return variables;
}

/** A queue longer than what runs at a time would draw work away from nodes with more room. */
const prefetchMaxOf = ({ cpuMilli }: Resources): number =>
  Math.min(limits.prefetchMax, Math.max(1, Math.floor(cpuMilli / 1_000)));
