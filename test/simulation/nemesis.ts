/**
 * What goes wrong in a run, and when: drawn from the seed, one fault at a time, each with its end.
 * The links that are cut are kept as a list of reasons, so that two faults may overlap.
 */
import { type NodeId, registryGroup } from '../../src/model/ids.ts';
import type { Random } from '../../src/ports/clock.ts';
import { checkContent } from '../../src/storage/check-store.ts';
import type { SimCluster } from './cluster.ts';
import type { FaultKind } from './options.ts';
import { simLevelFiles } from './sim-level.ts';
import type { SimNode } from './sim-node.ts';

type Link = readonly [from: NodeId, to: NodeId];

export class Nemesis {
  readonly #cluster: SimCluster;
  readonly #random: Random;
  /** Clients that ask a node just when it may be behind the rest. */
  readonly #probe: (node: SimNode) => void;
  #active = false;
  #wiped = false;
  readonly #cuts = new Set<readonly Link[]>();
  readonly #clogged = new Set<NodeId>();

  constructor(cluster: SimCluster, probe: (node: SimNode) => void) {
    this.#cluster = cluster;
    this.#probe = probe;
    this.#random = cluster.random('nemesis');
    cluster.onStorageFault = node => {
      this.#kill(node, false);
      this.#examine(node).catch((error: unknown) => {
        throw error;
      });
    };
    cluster.onRefusal = node => {
      node.rolledBack = false;
      this.#giveEmptyDisk(node);
      this.#bootLater(node);
    };
  }

  start(): void {
    this.#active = true;
    const { options, net, time } = this.#cluster;
    net.faults.dropPercent = options.dropPercent;
    net.faults.duplicatePercent = options.duplicatePercent;
    net.faults.reorderPercent = options.reorderPercent;
    net.faults.resetPerTenThousand = options.resetPerTenThousand;
    net.faults.truncatePerTenThousand = options.truncatePerTenThousand;
    net.faults.delayMsMax = options.delayMsMax;
    net.faults.gossipDropPercent = options.dropPercent;
    net.faults.gossipDuplicatePercent = options.duplicatePercent;
    this.#cluster.storeFaults.slowPerMillion = options.slowDiskPerMillion;
    this.#cluster.storeFaults.failPerMillion = options.failDiskPerMillion;
    if (options.faults.length === 0) return;
    const next = (): void => {
      if (!this.#active) return;
      this.#strike();
      time.after(1 + this.#below(2 * options.faultEveryMs), next);
    };
    time.after(this.#below(options.faultEveryMs), next);
  }

  /** Everything works again from now on. */
  heal(): void {
    this.#active = false;
    const { net, nodes, trace } = this.#cluster;
    trace.note('', '=== everything is healed');
    Object.assign(net.faults, {
      dropPercent: 0,
      duplicatePercent: 0,
      reorderPercent: 0,
      resetPerTenThousand: 0,
      truncatePerTenThousand: 0,
      delayMsMax: 2,
      gossipDropPercent: 0,
      gossipDuplicatePercent: 0,
    });
    Object.assign(this.#cluster.storeFaults, { slowPerMillion: 0, failPerMillion: 0 });
    this.#cuts.clear();
    for (const node of [...this.#clogged]) this.#unclog(node);
    net.heal();
    for (const node of nodes) {
      node.slowDiskMs = 0;
      node.fill(undefined);
      node.runner.goOn();
      node.process?.resume();
      if (!node.up) this.#cluster.boot(node);
    }
  }

  #below(count: number): number {
    return Math.floor((this.#random.uint32() / 2 ** 32) * count);
  }

  #pick<T>(values: readonly T[]): T | undefined {
    return values[this.#below(values.length)];
  }

  #strike(): void {
    const { nodes, options } = this.#cluster;
    const kind = this.#pick(options.faults);
    const node = this.#pick(nodes.filter(one => one.running));
    if (kind === undefined || node === undefined) return;
    this.#cluster.trace.note(node.id, `=== ${kind}`);
    this.#fault(kind, node);
  }

  #fault(kind: FaultKind, node: SimNode): void {
    const { nodes } = this.#cluster;
    const others = nodes.filter(one => one !== node).map(one => one.id);
    switch (kind) {
      case 'crash':
      case 'powerLoss':
        this.#kill(node, kind === 'powerLoss');
        this.#bootLater(node);
        return;
      case 'wipe':
        this.#wipe(node);
        return;
      case 'rollback':
        this.#rollBack(node);
        return;
      case 'stop':
        this.#stop(node);
        return;
      case 'supervisorCrash':
        node.runner.crashSupervisor();
        return;
      case 'supervisorFreeze':
        node.runner.freeze(this.#below(2) === 0 ? this.#below(2_000) : this.#below(30_000));
        return;
      case 'partition': {
        const alone = this.#below(2) === 0;
        const mine = new Set([node.id, ...others.filter(() => !alone && this.#below(3) === 0)]);
        const far = others.filter(id => !mine.has(id));
        this.#cut([...mine].flatMap(a => far.flatMap(b => both(a, b))));
        return;
      }
      case 'oneWay': {
        const out = this.#below(2) === 0;
        this.#cut(others.map((other): Link => (out ? [node.id, other] : [other, node.id])));
        return;
      }
      case 'bridge': {
        // Everybody reaches `node`; two halves do not reach each other.
        const left = others.filter(() => this.#below(2) === 0);
        const right = others.filter(id => !left.includes(id));
        this.#cut(left.flatMap(a => right.flatMap(b => both(a, b))));
        return;
      }
      case 'pause':
      case 'machineFreeze':
        this.#pause(node, kind === 'machineFreeze');
        return;
      case 'slowDisk':
        node.slowDiskMs = 50 + this.#below(this.#below(3) === 0 ? 5_000 : 500);
        this.#cluster.time.after(this.#durationMs(), () => {
          node.slowDiskMs = 0;
        });
        return;
      case 'wallJump':
        node.clock.wallOffsetMs += this.#below(240_000) - 120_000;
        return;
      case 'stuckDisk':
        node.slowDiskMs = 5_000 + this.#below(45_000);
        this.#cluster.time.after(500, () => {
          node.slowDiskMs = 0;
        });
        return;
      case 'swizzle':
        this.#swizzle();
        return;
      case 'diskFull':
        this.#fillDisk(node);
        return;
      case 'damage':
        this.#damage(node);
        return;
      case 'registryLoss':
        this.#loseRegistry();
        return;
      case 'reset': {
        const other = this.#pick(others);
        if (other !== undefined) this.#cluster.net.reset(node.id, other);
        return;
      }
      case 'transfer':
        for (const replica of node.node?.loop.replicas() ?? []) {
          const to = this.#pick(replica.descriptor.conf.voters);
          if (to === undefined || !replica.leading || !replica.core.transferLeader(to)) continue;
          node.node?.loop.touch(replica);
        }
        return;
    }
  }

  #kill(node: SimNode, power: boolean): void {
    if (!node.up) return;
    node.crash({ power });
  }

  #bootLater(node: SimNode): void {
    const drawnMs = this.#below(3) === 0 ? this.#below(15_000) : 50 + this.#below(2_000);
    // What was on its way down when everything healed comes back at once.
    this.#cluster.time.after(this.#active ? drawnMs : 50, () => {
      if (!node.up) this.#cluster.boot(node);
    });
  }

  /**
   * A machine loses its disk and comes back with an empty one, once in a run: that is a minority.
   * Not the first, which alone can admit the others.
   */
  #wipe(node: SimNode): void {
    if (this.#wiped || node === this.#cluster.nodes[0]) return;
    this.#wiped = true;
    this.#giveEmptyDisk(node);
    this.#bootLater(node);
  }

  #giveEmptyDisk(node: SimNode): void {
    this.#kill(node, true);
    const disk = this.#cluster.emptyDisk();
    const { header } = node.disk;
    if (header !== undefined) disk.header = { ...header, storeId: `${header.storeId} again` };
    node.disk = disk;
  }

  /** A disk that is damaged while its machine is down, once in a run, as `wipe`. */
  #damage(node: SimNode): void {
    const { level } = node.disk;
    if (this.#wiped || level === undefined || node === this.#cluster.nodes[0]) return;
    this.#wiped = true;
    this.#kill(node, true);
    const below = (count: number): number => this.#below(count);
    const lost = below(2) === 0 ? level.loseBatches(below) : 0;
    let what = `lost ${lost} batches`;
    if (lost === 0) {
      const keys = Array.from({ length: 1 + below(3) }, () => level.flipBit(below));
      what = `has flipped bits: ${keys.map(key => Buffer.from(key ?? []).toString('hex')).join()}`;
    }
    this.#cluster.trace.note(node.id, `=== its disk ${what}`);
    this.#bootLater(node);
  }

  /**
   * What an operator does about a storage fault: the doctor looks at the store, and one that is
   * damaged is put aside; the node joins again with an empty one. Else it is started again.
   */
  async #examine(node: SimNode): Promise<void> {
    const { level } = node.disk;
    if (level?.made === true) {
      const { damage } = await checkContent(await simLevelFiles({ disk: level.copy() }).open(), 0);
      if (damage.length > 0) {
        this.#cluster.trace.note(node.id, `the doctor: ${damage[0]}`);
        this.#giveEmptyDisk(node);
      }
    }
    this.#bootLater(node);
  }

  /** Others fill the disk; perhaps nothing is left for a while; then there is room again. */
  #fillDisk(node: SimNode): void {
    const { time, trace } = this.#cluster;
    if (node.filled) return;
    node.fill(1e9 + this.#below(3e9));
    const lowMs = 1_000 + this.#below(this.#below(2) === 0 ? 3_000 : 20_000);
    const toTheEnd = this.#below(2) === 0;
    const fullMs = 500 + this.#below(5_000);
    const room = (): void => node.fill(undefined);
    time.after(lowMs, () => {
      if (!this.#active) return;
      if (!toTheEnd) return room();
      trace.note(node.id, '=== no room is left on its disk');
      node.fill(0);
      time.after(fullMs, room);
    });
  }

  /** So many voters of the registry are gone that the rest is no majority. */
  #loseRegistry(): void {
    const { nodes, time } = this.#cluster;
    const known = nodes.flatMap(one => one.node?.loop.replica(registryGroup) ?? []);
    const replica = known.find(one => one.leading) ?? known[0];
    if (replica === undefined) return;
    const voters = replica.descriptor.conf.voters.map(id => replica.member(id)?.node);
    const lost = this.#shuffled(nodes.filter(one => voters.includes(one.id)));
    lost.length = Math.min(lost.length, Math.ceil(voters.length / 2));
    if (this.#below(2) === 0) {
      const ids = lost.map(one => one.id);
      this.#cut(ids.flatMap(a => nodes.flatMap(({ id }) => (id === a ? [] : both(a, id)))));
      return;
    }
    const forMs = this.#durationMs();
    for (const node of lost) {
      this.#kill(node, this.#below(2) === 0);
      time.after(this.#active ? forMs : 50, () => {
        if (!node.up) this.#cluster.boot(node);
      });
    }
  }

  /** Links of nodes are held back one node after the other, and let go in another order. */
  #swizzle(): void {
    const { nodes, time, trace } = this.#cluster;
    if (this.#clogged.size > 0) return;
    const chosen = this.#shuffled(nodes).slice(0, 1 + this.#below(nodes.length));
    const everyMs = 50 + this.#below(1_000);
    chosen.forEach((node, at) => {
      time.after(at * everyMs, () => {
        if (!this.#active) return;
        trace.note(node.id, 'is clogged');
        this.#clogged.add(node.id);
        for (const [from, to] of this.#linksOf(node.id)) this.#cluster.net.clog(from, to);
      });
    });
    const holdMs = chosen.length * everyMs + this.#below(2_000);
    this.#shuffled(chosen).forEach((node, at) => {
      time.after(holdMs + at * everyMs, () => this.#unclog(node.id));
    });
  }

  /** Links to nodes that are clogged themselves stay so. */
  #unclog(id: NodeId): void {
    if (!this.#clogged.delete(id)) return;
    this.#cluster.trace.note(id, 'is free again');
    for (const [from, to] of this.#linksOf(id)) {
      if (!this.#clogged.has(from) && !this.#clogged.has(to)) this.#cluster.net.unclog(from, to);
    }
  }

  #linksOf(id: NodeId): Link[] {
    return this.#cluster.nodes.flatMap(other => (other.id === id ? [] : both(id, other.id)));
  }

  #shuffled<T>(values: readonly T[]): T[] {
    const rest = [...values];
    return values.flatMap(() => rest.splice(this.#below(rest.length), 1));
  }

  /**
   * A copy of the disk is taken, the node is started again, and later the copy comes back. (A copy
   * of the newest start cannot be told from a crash.) It is killed a few times before it can
   * register, so that it counts more starts than the disk it replaces. Once in a run, as `wipe`.
   */
  #rollBack(node: SimNode): void {
    const { time, trace } = this.#cluster;
    if (this.#wiped || node === this.#cluster.nodes[0]) return;
    this.#wiped = true;
    const copy = node.disk.copy();
    this.#kill(node, true);
    this.#bootLater(node);
    const comeBack = (): void => {
      if (!this.#active) return;
      if (!node.running || node.node?.ready !== true) {
        time.after(500, comeBack);
        return;
      }
      trace.note(node.id, '=== its disk is rolled back');
      this.#kill(node, true);
      node.disk = copy;
      node.rolledBack = true;
      this.#startInVain(node, this.#below(4));
    };
    time.after(3_000 + this.#below(5_000), comeBack);
  }

  /** Starts a node that dies so many times at once, and then lives. */
  #startInVain(node: SimNode, times: number): void {
    if (!node.up) this.#cluster.boot(node);
    if (times === 0 || !this.#active) return;
    const { process } = node;
    this.#cluster.time.after(1 + this.#below(20), () => {
      // It may have refused by itself meanwhile, and have another disk.
      if (node.process !== process || !node.rolledBack) return;
      this.#kill(node, true);
      this.#cluster.time.after(50, () => this.#startInVain(node, times - 1));
    });
  }

  #stop(node: SimNode): void {
    node.stop().then(
      () => {
        if (!node.up) this.#bootLater(node);
      },
      (error: unknown) => {
        throw error;
      },
    );
  }

  /** The process stands still, or the whole machine with its supervisor and all that it runs. */
  #pause(node: SimNode, machine: boolean): void {
    const { process } = node;
    const { time, trace } = this.#cluster;
    if (process === undefined) return;
    const forMs = this.#durationMs();
    process.pause();
    if (machine) node.runner.standStill();
    // Frames wait in the socket for a while; then the peers give the connection up.
    const links = this.#cluster.nodes
      .filter(one => one !== node)
      .flatMap(one => both(node.id, one.id));
    let cut = false;
    time.after(1_000 + this.#below(2_000), () => {
      if (!process.alive || !process.paused || !this.#active) return;
      cut = true;
      this.#cuts.add(links);
      this.#applyCuts();
    });
    time.after(forMs, () => {
      if (cut) this.#cuts.delete(links);
      if (cut && this.#active) this.#applyCuts();
      if (machine) node.runner.goOn();
      if (!process.alive || !process.paused) return;
      trace.note(node.id, 'goes on');
      process.resume();
      this.#probe(node);
    });
  }

  #cut(links: readonly Link[]): void {
    this.#cuts.add(links);
    this.#applyCuts();
    const ends = new Set(links.map(([from]) => from));
    for (const node of this.#cluster.nodes) {
      if (!ends.has(node.id)) continue;
      this.#cluster.time.after(1_500 + this.#below(2_000), () => {
        if (node.running) this.#probe(node);
      });
    }
    this.#cluster.time.after(this.#durationMs(), () => {
      if (!this.#cuts.delete(links)) return;
      this.#cluster.trace.note('', 'a partition heals');
      if (this.#active) this.#applyCuts();
    });
  }

  /** How long a partition or a pause lasts. */
  #durationMs(): number {
    if (this.#cluster.options.longFaults) return 6_000 + this.#below(20_000);
    return 100 + this.#below(this.#below(2) === 0 ? 2_000 : 12_000);
  }

  #applyCuts(): void {
    const { net } = this.#cluster;
    net.heal();
    for (const links of this.#cuts) for (const [from, to] of links) net.cutOneWay(from, to);
  }
}

const both = (a: NodeId, b: NodeId): Link[] => [
  [a, b],
  [b, a],
];
