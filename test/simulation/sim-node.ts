/**
 * One machine of the simulated cluster: its clock, disk and supervisor, which outlive its node, and
 * the node's process, which is started, crashed and started again. The node is the real one.
 */
import type { NodeId } from '../../src/model/ids.ts';
import type { Resources, Tier } from '../../src/model/resources.ts';
import type { LogLimits } from '../../src/node/log-policy.ts';
import { TschedNode } from '../../src/node/node.ts';
import type { Contact } from '../../src/node/peers-file.ts';
import type { Random } from '../../src/ports/clock.ts';
import type { Disk } from '../../src/ports/disk.ts';
import type { Log } from '../../src/ports/log.ts';
import type { Runner } from '../../src/ports/runner.ts';
import type { Store, StoreImage } from '../../src/ports/store.ts';
import { SimLevelStore } from './sim-level-store.ts';
import type { SimNet } from './sim-net.ts';
import { type MachineClock, SimProcess } from './sim-process.ts';
import type { SimRunner } from './sim-runner.ts';
import { createSimStore, type SimStore, type SimStoreFaults } from './sim-store.ts';
import type { Trace } from './trace.ts';
import type { WatchedDisk } from './watched-disk.ts';

export interface SimNodeWorld {
  readonly net: SimNet;
  readonly trace: Trace;
  readonly storeFaults: SimStoreFaults;
  /** Called before anything runs in a process of `node`. */
  entered(node: SimNode): void;
  /** A frame is about to leave. */
  sent(node: SimNode, peer: NodeId, frame: Uint8Array): void;
  /** The node says that it cannot go on. */
  fatal(node: SimNode, error: unknown): void;
  /** The process is about to be gone, with whatever it did in the event that is under way. */
  leaves(node: SimNode): void;
}

export interface SimNodeOptions {
  readonly id: NodeId;
  readonly clock: MachineClock;
  readonly random: Random;
  readonly disk: WatchedDisk;
  readonly runner: SimRunner;
  readonly tier: Tier;
  readonly total: Resources;
  /** How many times its resources the node believes to have; 1 but for a planted bug. */
  readonly believedCapacity: number;
  readonly joinSecret: Uint8Array | undefined;
  readonly bootstrap: () => readonly Contact[];
  readonly world: SimNodeWorld;
  /** Stands between the node and its supervisor; for planted bugs. */
  readonly wrapRunner?: ((runner: Runner) => Runner) | undefined;
  readonly makeStore?: typeof createSimStore | undefined;
  readonly logLimits?: LogLimits | undefined;
  /** The node looks after the room on its disk. */
  readonly watchesRoom: boolean;
}

/** Size of a disk, and what is free there unless somebody fills it. */
const diskBytes = { total: 100e9, free: 50e9 };

export class SimNode {
  readonly id: NodeId;
  disk: WatchedDisk;
  readonly runner: SimRunner;
  readonly total: Resources;
  readonly clock: MachineClock;
  readonly #options: SimNodeOptions;
  /** Its disk is an old copy: the node has to find out and end. */
  rolledBack = false;
  /** Every write takes up to this long; 0 while the disk of this machine is as fast as others. */
  slowDiskMs = 0;
  /** What may still be written to the disk. */
  freeBytes = diskBytes.free;
  /** Looks of the process at a disk with so little room. */
  looks = { freeBytes: diskBytes.free, count: 0 };
  process: SimProcess | undefined;
  node: TschedNode | undefined;
  /** Told by somebody that runs this node's process: it is on its way down. */
  stopping = false;
  #store: SimStore | SimLevelStore | undefined;
  #boots = 0;
  #lastBootMs = 0;

  constructor(options: SimNodeOptions) {
    this.id = options.id;
    this.disk = options.disk;
    this.runner = options.runner;
    this.total = options.total;
    this.clock = options.clock;
    this.#options = options;
  }

  get up(): boolean {
    return this.process !== undefined;
  }

  get running(): boolean {
    return this.process !== undefined && !this.process.paused && !this.stopping;
  }

  get lastBootMs(): number {
    return this.#lastBootMs;
  }

  /** Those of all disks, unless this one is slow. */
  #storeFaults(): SimStoreFaults {
    const { storeFaults } = this.#options.world;
    const slowMs = (): number => this.slowDiskMs;
    const full = (): boolean => this.freeBytes <= 0;
    return {
      get writeMsMax() {
        return slowMs() > 0 ? slowMs() : undefined;
      },
      get slowPerMillion() {
        return storeFaults.slowPerMillion;
      },
      get failPerMillion() {
        return storeFaults.failPerMillion;
      },
      get full() {
        return full();
      },
    };
  }

  /** Starts a process of this node on what the disk holds. */
  boot(): void {
    const { world, clock, id } = this.#options;
    const process = new SimProcess(id, clock, () => world.entered(this));
    this.process = process;
    this.stopping = false;
    this.#boots++;
    this.#lastBootMs = clock.bootMs();
    this.looks = { freeBytes: diskBytes.free, count: 0 };
    world.entered(this);
    world.trace.note(id, `boot ${this.#boots}`);
    const failed = (error: unknown): void => {
      if (process.alive) world.fatal(this, error);
    };
    const store = this.#makeStore(process);
    this.#store = store;
    if (store instanceof SimLevelStore) {
      store
        .open(failed)
        .then(image => {
          if (process.alive) this.#run(process, store, image);
        })
        .catch(failed);
      return;
    }
    try {
      this.#run(process, store, store.openNow(failed));
    } catch (error) {
      failed(error);
    }
  }

  #makeStore(process: SimProcess): SimStore | SimLevelStore {
    const { random, makeStore = createSimStore } = this.#options;
    const { disk } = this;
    const parts = { scheduler: process.clock, random, faults: this.#storeFaults(), disk };
    const { level } = disk;
    if (level === undefined) return makeStore(parts);
    return new SimLevelStore({ ...parts, level, log: this.#log(process) });
  }

  /** Builds the node of a process and lets it begin. */
  #run(process: SimProcess, store: Store, image: StoreImage): void {
    const { world, id, random, runner } = this.#options;
    const inner = world.net.join(id);
    const wrapRunner = this.#options.wrapRunner ?? (same => same);
    const node = new TschedNode({
      ports: {
        clock: process.clock,
        random,
        log: this.#log(process),
        store,
        transport: process.transport(inner.transport, (peer, frame) =>
          world.sent(this, peer, frame),
        ),
        gossip: process.gossip(inner.gossip),
        bulk: process.bulk(inner.bulk),
        runner: process.runner(wrapRunner(runner)),
        disk: this.#options.watchesRoom ? this.#room() : undefined,
      },
      settings: {
        name: id,
        version: '0.0.0',
        tier: this.#options.tier,
        total: times(this.total, this.#options.believedCapacity),
        ports: { from: 20_000, to: 20_000 + this.total.ports - 1 },
        labels: [],
        zone: '',
        httpAddress: '',
        networkKey: new Uint8Array(32),
        logLimits: this.#options.logLimits,
        joinSecret: this.#options.joinSecret,
        bootstrap: this.#options.bootstrap(),
      },
      image,
      end: {
        fatal: error => {
          if (process.alive) world.fatal(this, error);
        },
        stopAsked: () => undefined,
      },
    });
    this.node = node;
    node.start().catch((error: unknown) => {
      if (process.alive) world.fatal(this, error);
    });
  }

  /** The process is killed, and with `power` the whole machine: silently, its attempts with it. */
  crash(options: { readonly power: boolean }): void {
    const { process } = this;
    if (process === undefined) return;
    this.#options.world.leaves(this);
    process.kill();
    this.#options.world.net.crash(this.id, { silent: options.power });
    this.#store?.crash(options);
    this.runner.crashNode();
    // Nothing of what a promise of the dead process sets off may reach the machine: `stop` lets go.
    if (options.power) void this.runner.stop({ end: true });
    this.process = undefined;
    this.node = undefined;
    this.#store = undefined;
  }

  /** Stops the node as an operator does; the process is gone once that is done. */
  async stop(): Promise<void> {
    const { process, node } = this;
    if (process === undefined || node === undefined || this.stopping) return;
    this.stopping = true;
    await node.stop({ endTasks: false, handOver: true });
    if (this.process === process) this.crash({ power: false });
  }

  /** The file system as the node asks for it. */
  #room(): Disk {
    return {
      room: async () => {
        const { freeBytes } = this;
        const count = freeBytes === this.looks.freeBytes ? this.looks.count + 1 : 1;
        this.looks = { freeBytes, count };
        return { freeBytes, totalBytes: diskBytes.total };
      },
      hasBallast: async () => true,
      makeBallast: async () => true,
    };
  }

  get filled(): boolean {
    return this.freeBytes < diskBytes.free;
  }

  /** Somebody else fills the disk, up to so many free bytes, or makes room. */
  fill(freeBytes: number | undefined): void {
    this.freeBytes = freeBytes ?? diskBytes.free;
  }

  #log(process: SimProcess): Log {
    const { trace } = this.#options.world;
    const note =
      (level: string) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        if (!process.alive) return;
        const told = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
        trace.note(this.id, `${level}: ${message} ${told.join(' ')}`);
      };
    const log: Log = {
      debug: () => undefined,
      info: note('info'),
      warn: note('warn'),
      error: note('error'),
      child: () => log,
    };
    return log;
  }
}

const times = (total: Resources, factor: number): Resources => ({
  ...total,
  cpuMilli: total.cpuMilli * factor,
  memoryBytes: total.memoryBytes * factor,
});
