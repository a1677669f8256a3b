/**
 * The ports `Transport` and `Gossip` in virtual time. Everything follows from the seed: the order
 * of calls, the random numbers drawn and the scheduler decide every delivery.
 *
 * The model is the weakest that the port allows. A frame may be lost with its connection; with
 * faults switched on also lost, repeated, reordered or cut short within it. A cut link swallows
 * frames in silence and is noticed after `silenceMs`; a clogged one holds them back, and lets them
 * go in their order if it is free before that. A process that ends is noticed within milliseconds
 * and refuses the redial, a machine that ends is silent. Delivered buffers are scribbled over after
 * the call, because the real transport reuses them too.
 */
import { assert } from '../../src/model/assert.ts';
import { TschedError } from '../../src/model/errors.ts';
import type { NodeId } from '../../src/model/ids.ts';
import { limits } from '../../src/model/limits.ts';
import type { BulkStream, BulkTransport } from '../../src/ports/bulk.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import type { Gossip, Transport, TransportEvents } from '../../src/ports/transport.ts';
import { SimBulkEnd } from './sim-bulk.ts';

export interface SimNetFaults {
  /** Of 100 frames so many are lost, sent twice, or overtaken, without the connection ending. */
  dropPercent: number;
  duplicatePercent: number;
  reorderPercent: number;
  /** Of 10,000 frames so many end their connection, with all that is in flight there. */
  resetPerTenThousand: number;
  /** Of 10,000 frames, gossip and messages of streams so many arrive without their last bytes. */
  truncatePerTenThousand: number;
  /** Most deliveries take `delayMsMin` to `delayMsTypical`, one of 50 up to `delayMsMax`. */
  delayMsMin: number;
  delayMsTypical: number;
  delayMsMax: number;
  gossipDropPercent: number;
  gossipDuplicatePercent: number;
  /** How long a silent connection lasts, and how long a dead process goes unnoticed at most. */
  silenceMs: number;
  refusalMsMax: number;
  /** A redial waits for up to this long. */
  redialMsMax: number;
}

export const noFaults: SimNetFaults = {
  dropPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
  resetPerTenThousand: 0,
  truncatePerTenThousand: 0,
  delayMsMin: 1,
  delayMsTypical: 1,
  delayMsMax: 1,
  gossipDropPercent: 0,
  gossipDuplicatePercent: 0,
  silenceMs: 3_000,
  refusalMsMax: 30,
  redialMsMax: 200,
};

export interface SimNetOptions {
  readonly scheduler: Pick<Clock, 'nowMs' | 'after'>;
  readonly random: Random;
  readonly faults?: Partial<SimNetFaults> | undefined;
}

export interface SimPorts {
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly bulk: BulkTransport;
}

/** One direction of a connection. */
interface Lane {
  inFlightBytes: number;
  lastAtMs: number;
  /** The sender believes that the connection is there. */
  up: boolean;
}

interface SimConnection {
  readonly a: SimNode;
  readonly b: SimNode;
  /** False as soon as frames stop flowing; each end learns of it later. */
  open: boolean;
  readonly lanes: ReadonlyMap<SimNode, Lane>;
  /** Ends of the streams that it carries. */
  readonly streams: Set<SimBulkEnd>;
}

export class SimNet {
  /** May be changed at any time; holds for what is sent from then on. */
  faults: SimNetFaults;
  readonly #scheduler: Pick<Clock, 'nowMs' | 'after'>;
  readonly #random: Random;
  /** The running process of each node; a crashed one is not in here. */
  readonly #nodes = new Map<NodeId, SimNode>();
  readonly #connections = new Map<string, SimConnection>();
  readonly #dialling = new Set<string>();
  /** `from>to` links that swallow everything. */
  readonly #cuts = new Set<string>();
  /** `from>to` links that hold everything back, with what waits there. */
  readonly #clogs = new Map<string, (() => void)[]>();

  constructor(options: SimNetOptions) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.faults = { ...noFaults, ...options.faults };
  }

  /** Starts a process for this node: the first one, or a new one after a crash. */
  join(id: NodeId): SimPorts {
    assert(!this.#nodes.has(id), `${id} runs already`);
    const node = new SimNode(id, this);
    this.#nodes.set(id, node);
    return { transport: node.transport, gossip: node.gossip, bulk: node.bulk };
  }

  /** As `join`: what a restarted process gets. */
  restart(id: NodeId): SimPorts {
    return this.join(id);
  }

  /**
   * Ends a process: nothing more comes from it, nothing reaches it. Peers see a refused redial,
   * unless `silent` says that the whole machine is gone.
   */
  crash(id: NodeId, options: { silent?: boolean } = {}): void {
    const node = this.#nodes.get(id);
    if (node !== undefined) this.end(node, options.silent === true);
  }

  running(id: NodeId): boolean {
    return this.#nodes.has(id);
  }

  /** Both directions between two nodes swallow everything from now on. */
  cut(a: NodeId, b: NodeId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  cutOneWay(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
    this.#watchSilence(from, to);
  }

  /** What arrives on a link from now on waits until `unclog`; noticed as a cut link is. */
  clog(from: NodeId, to: NodeId): void {
    const link = `${from}>${to}`;
    if (this.#clogs.has(link)) return;
    this.#clogs.set(link, []);
    this.#watchSilence(from, to);
  }

  /** What waited arrives now, in its order, as far as its connection is still there. */
  unclog(from: NodeId, to: NodeId): void {
    const link = `${from}>${to}`;
    const held = this.#clogs.get(link);
    this.#clogs.delete(link);
    for (const arrive of held ?? []) this.#scheduler.after(0, arrive);
    this.#redial(from, to);
  }

  isolate(id: NodeId, others: readonly NodeId[]): void {
    for (const other of others) if (other !== id) this.cut(id, other);
  }

  /** Only nodes of one group reach each other; a node in two groups bridges them. */
  partition(groups: readonly (readonly NodeId[])[]): void {
    const all = [...new Set(groups.flat())];
    for (const a of all) {
      for (const b of all) {
        const together = groups.some(group => group.includes(a) && group.includes(b));
        if (a < b && !together) this.cut(a, b);
      }
    }
  }

  /** Heals everything, or the two directions between a pair. */
  heal(a?: NodeId, b?: NodeId): void {
    if (a === undefined || b === undefined) this.#cuts.clear();
    else {
      this.#cuts.delete(`${a}>${b}`);
      this.#cuts.delete(`${b}>${a}`);
    }
    for (const node of this.#nodes.values())
      for (const peer of node.wanted) this.dial(node.id, peer);
  }

  /** Breaks one connection, as a reset stream does; it is opened anew. */
  reset(a: NodeId, b: NodeId): void {
    const connection = this.#connections.get(pairOf(a, b));
    if (connection !== undefined) this.#close(connection, () => false);
  }

  delayMs(): number {
    const { delayMsMin, delayMsTypical, delayMsMax } = this.faults;
    const most = this.draw(50) === 0 ? delayMsMax : delayMsTypical;
    return delayMsMin + this.draw(Math.max(1, most - delayMsMin + 1));
  }

  /** The bytes as they arrive. Draws nothing where the fault is off. */
  truncated(bytes: Uint8Array): Uint8Array {
    const { truncatePerTenThousand } = this.faults;
    if (truncatePerTenThousand === 0 || bytes.length < 2) return bytes;
    if (this.draw(10_000) >= truncatePerTenThousand) return bytes;
    return bytes.subarray(0, 1 + this.draw(bytes.length - 1));
  }

  /** Runs `arrive` once the link is not clogged. */
  #through(from: NodeId, to: NodeId, arrive: () => void): void {
    const held = this.#clogs.get(`${from}>${to}`);
    if (held === undefined) arrive();
    else held.push(arrive);
  }

  /** Uniform over 0 to `below` - 1. */
  draw(below: number): number {
    return below <= 1 ? 0 : this.#random.uint32() % below;
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  // What follows is called by the nodes' ports.

  laneOf(from: SimNode, to: NodeId): { connection: SimConnection; lane: Lane } | undefined {
    const connection = this.#connections.get(pairOf(from.id, to));
    const lane = connection?.lanes.get(from);
    return connection === undefined || lane === undefined ? undefined : { connection, lane };
  }

  /** Opens a connection if both ends run and the link is whole; called whenever that changes. */
  dial(from: NodeId, to: NodeId): void {
    const pair = pairOf(from, to);
    if (this.#connections.has(pair) || this.#dialling.has(pair)) return;
    if (!this.#possible(from, to)) return;
    this.#dialling.add(pair);
    this.#scheduler.after(this.delayMs() + this.delayMs(), () => {
      this.#dialling.delete(pair);
      const a = this.#nodes.get(from);
      const b = this.#nodes.get(to);
      if (a === undefined || b === undefined || !this.#possible(from, to)) return;
      if (!a.wanted.has(to) && !b.wanted.has(from)) return;
      if (!this.#connections.has(pair)) this.#open(a, b);
    });
  }

  /** Opens a stream, as far as the connection allows. */
  openStream(from: SimNode, to: NodeId): Promise<BulkStream> {
    return new Promise((resolve, reject) => {
      const gone = (): void =>
        reject(new TschedError('nodeUnreachable', `no connection from ${from.id} to ${to}`));
      const connection = from.running ? this.laneOf(from, to)?.connection : undefined;
      if (connection === undefined) return gone();
      this.#scheduler.after(this.delayMs(), () => {
        const other = connection.a === from ? connection.b : connection.a;
        const whole = connection.open && !this.isCut(from.id, to) && !this.isCut(to, from.id);
        if (!whole || other.onStream === undefined) return gone();
        const wire = {
          nowMs: () => this.#scheduler.nowMs(),
          after: (delayMs: number, fire: () => void) => this.#scheduler.after(delayMs, fire),
          delayMs: () => this.delayMs(),
          breaks: () => this.draw(10_000) < this.faults.resetPerTenThousand,
          open: () => connection.open,
          cut: (a: NodeId, b: NodeId) => this.isCut(a, b),
          arrives: (message: Uint8Array) => this.truncated(message),
          through: (a: NodeId, b: NodeId, arrive: () => void) => this.#through(a, b, arrive),
        };
        const near = new SimBulkEnd(from.id, to, wire);
        const far = new SimBulkEnd(to, from.id, wire);
        near.join(far);
        far.join(near);
        connection.streams.add(near).add(far);
        other.onStream(far);
        resolve(near);
      });
    });
  }

  /** Schedules one frame; faults are drawn here. */
  carry(connection: SimConnection, lane: Lane, from: SimNode, frame: Uint8Array): void {
    const to = from === connection.a ? connection.b : connection.a;
    if (this.draw(10_000) < this.faults.resetPerTenThousand) {
      this.#close(connection, () => false);
      return;
    }
    if (!connection.open || this.isCut(from.id, to.id)) return;
    if (this.draw(100) < this.faults.dropPercent) return;
    const copies = this.draw(100) < this.faults.duplicatePercent ? 2 : 1;
    const arriving = this.truncated(frame);
    for (let copy = 0; copy < copies; copy++) {
      let atMs = this.#scheduler.nowMs() + this.delayMs();
      if (this.draw(100) >= this.faults.reorderPercent) atMs = Math.max(atMs, lane.lastAtMs);
      lane.lastAtMs = Math.max(atMs, lane.lastAtMs);
      lane.inFlightBytes += frame.length;
      this.#scheduler.after(atMs - this.#scheduler.nowMs(), () => {
        this.#through(from.id, to.id, () => {
          lane.inFlightBytes -= frame.length;
          if (!connection.open || !to.running || this.isCut(from.id, to.id)) return;
          to.receive(from.id, arriving.slice());
        });
      });
    }
  }

  /** Delivers a message to every node that the author's links lead to, however many hops away. */
  flood(author: SimNode, message: Uint8Array): void {
    const distances = new Map<SimNode, number>([[author, 0]]);
    const queue = [author];
    for (const node of queue) {
      const hops = distances.get(node) ?? 0;
      for (const next of this.#nodes.values()) {
        if (distances.has(next) || this.isCut(node.id, next.id)) continue;
        if (this.#connections.get(pairOf(node.id, next.id))?.open !== true) continue;
        distances.set(next, hops + 1);
        queue.push(next);
      }
      // A full mesh is the common case: everybody is one hop away, and nobody need be asked again.
      if (distances.size === this.#nodes.size) break;
    }
    for (const [node, hops] of distances) {
      if (node === author) continue;
      if (this.draw(100) < this.faults.gossipDropPercent) continue;
      const copies = this.draw(100) < this.faults.gossipDuplicatePercent ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        let ms = 0;
        for (let hop = 0; hop < hops; hop++) ms += this.delayMs();
        const arriving = this.truncated(message);
        this.#scheduler.after(ms, () => {
          this.#through(author.id, node.id, () => {
            if (node.running) node.hear(author.id, arriving.slice());
          });
        });
      }
    }
  }

  end(node: SimNode, silent: boolean): void {
    if (this.#nodes.get(node.id) !== node) return;
    node.running = false;
    this.#nodes.delete(node.id);
    for (const connection of [...this.#connections.values()]) {
      if (connection.a !== node && connection.b !== node) continue;
      const other = connection.a === node ? connection.b : connection.a;
      const cut = this.isCut(node.id, other.id) || this.isCut(other.id, node.id);
      this.#close(connection, () => !silent && !cut, silent || cut);
    }
  }

  /** One side gives the connection up. */
  drop(node: SimNode, peer: NodeId): void {
    const connection = this.#connections.get(pairOf(node.id, peer));
    if (connection === undefined) return;
    const lane = connection.lanes.get(node);
    const wasUp = lane?.up === true;
    if (lane !== undefined) lane.up = false;
    this.#close(connection, () => false);
    if (wasUp) node.events?.onDown(peer, false);
  }

  started(node: SimNode): void {
    // The first packet of a new process tells the peers that the old one is gone.
    for (const connection of this.#connections.values()) {
      const stale = [connection.a, connection.b].some(end => end.id === node.id && end !== node);
      if (stale) this.#scheduler.after(this.delayMs(), () => this.#forget(connection));
    }
    for (const peer of node.wanted) this.dial(node.id, peer);
    for (const other of this.#nodes.values()) {
      if (!other.wanted.has(node.id)) continue;
      this.#scheduler.after(this.draw(this.faults.redialMsMax), () => this.dial(other.id, node.id));
    }
  }

  /** Tells the ends of a closed connection that it is gone, where they have not noticed yet. */
  #forget(connection: SimConnection): void {
    const { a, b } = connection;
    for (const [node, lane] of connection.lanes) {
      if (!lane.up || !node.running) continue;
      lane.up = false;
      node.events?.onDown(node === a ? b.id : a.id, false);
    }
    const pair = pairOf(a.id, b.id);
    if (this.#connections.get(pair) !== connection) return;
    this.#connections.delete(pair);
    this.#redial(a.id, b.id);
  }

  #possible(a: NodeId, b: NodeId): boolean {
    if (this.isCut(a, b) || this.isCut(b, a)) return false;
    // A connection is made in both directions: over a clogged link it is not.
    if (this.#clogs.has(`${a}>${b}`) || this.#clogs.has(`${b}>${a}`)) return false;
    return this.#nodes.get(a)?.events !== undefined && this.#nodes.get(b)?.events !== undefined;
  }

  #open(a: SimNode, b: SimNode): void {
    const lane = (): Lane => ({ inFlightBytes: 0, lastAtMs: 0, up: false });
    const lanes = new Map([
      [a, lane()],
      [b, lane()],
    ]);
    const connection: SimConnection = { a, b, open: true, lanes, streams: new Set() };
    this.#connections.set(pairOf(a.id, b.id), connection);
    for (const [node, lane] of lanes) {
      const peer = node === a ? b.id : a.id;
      this.#scheduler.after(this.delayMs(), () => {
        if (!connection.open || !node.running) return;
        lane.up = true;
        node.events?.onUp(peer);
      });
    }
  }

  /** Frames stop now; each end that was up learns of it later and redials where it wants to. */
  #close(connection: SimConnection, refused: () => boolean, slowly = false): void {
    if (!connection.open) return;
    connection.open = false;
    const { a, b } = connection;
    for (const stream of connection.streams) {
      const noticeMs = slowly ? this.faults.silenceMs : 1 + this.draw(this.faults.refusalMsMax);
      this.#scheduler.after(noticeMs, () => stream.abort());
    }
    connection.streams.clear();
    let waiting = connection.lanes.size;
    const pair = pairOf(a.id, b.id);
    for (const [node, lane] of connection.lanes) {
      const peer = node === a ? b.id : a.id;
      const noticeMs = slowly ? this.faults.silenceMs : 1 + this.draw(this.faults.refusalMsMax);
      this.#scheduler.after(noticeMs, () => {
        if (lane.up && node.running) {
          lane.up = false;
          node.events?.onDown(peer, refused());
        }
        waiting--;
        if (waiting > 0) return;
        if (this.#connections.get(pair) === connection) this.#connections.delete(pair);
        this.#redial(a.id, b.id);
      });
    }
  }

  #redial(a: NodeId, b: NodeId): void {
    const wanted = this.#nodes.get(a)?.wanted.has(b) || this.#nodes.get(b)?.wanted.has(a);
    if (!wanted) return;
    this.#scheduler.after(this.draw(this.faults.redialMsMax), () => this.dial(a, b));
  }

  #watchSilence(from: NodeId, to: NodeId): void {
    const connection = this.#connections.get(pairOf(from, to));
    if (connection === undefined) return;
    const sinceMs = this.#scheduler.nowMs();
    const check = (): void => {
      const silent = this.isCut(from, to) || this.#clogs.has(`${from}>${to}`);
      if (!connection.open || !silent) return;
      if (this.#scheduler.nowMs() - sinceMs >= this.faults.silenceMs) {
        this.#close(connection, () => false);
      }
    };
    this.#scheduler.after(this.faults.silenceMs + this.draw(500), check);
  }
}

/** One process of a node. */
class SimNode {
  readonly id: NodeId;
  readonly #net: SimNet;
  readonly wanted = new Set<NodeId>();
  running = true;
  events: TransportEvents | undefined;
  #accept: ((author: NodeId, message: Uint8Array) => boolean) | undefined;
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly bulk: BulkTransport;
  onStream: ((stream: BulkStream) => void) | undefined;
  readonly #frames = {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: 0,
    badFrames: 0,
  };
  readonly #messages = { published: 0, accepted: 0, rejected: 0, oversized: 0 };

  constructor(id: NodeId, net: SimNet) {
    this.id = id;
    this.#net = net;
    this.transport = this.#makeTransport();
    this.gossip = this.#makeGossip();
    this.bulk = {
      start: async onStream => {
        this.onStream = onStream;
      },
      open: peer => net.openStream(this, peer),
      stop: async () => {
        this.onStream = undefined;
      },
    };
  }

  receive(from: NodeId, frame: Uint8Array): void {
    this.#frames.framesIn++;
    this.#frames.bytesIn += frame.length;
    this.events?.onFrame(from, frame);
    frame.fill(0xdb);
  }

  hear(author: NodeId, message: Uint8Array): void {
    if (this.#accept === undefined) return;
    if (this.#accept(author, message)) this.#messages.accepted++;
    else this.#messages.rejected++;
  }

  #makeTransport(): Transport {
    return {
      self: this.id,
      start: async events => {
        if (!this.running) return;
        this.events = events;
        this.#net.started(this);
      },
      addresses: () => [`/sim/${this.id}`],
      connect: peer => {
        if (!this.running || peer === this.id) return;
        this.wanted.add(peer);
        this.#net.dial(this.id, peer);
      },
      disconnect: peer => {
        this.wanted.delete(peer);
        if (this.running) this.#net.drop(this, peer);
      },
      connected: peer => this.running && this.#net.laneOf(this, peer)?.lane.up === true,
      send: (peer, frame) => this.#send(peer, frame),
      counters: () => ({ ...this.#frames }),
      stop: async () => {
        this.events = undefined;
        this.#net.end(this, false);
      },
    };
  }

  #send(peer: NodeId, frame: Uint8Array): boolean {
    const found = this.running ? this.#net.laneOf(this, peer) : undefined;
    const { frameBytesMax, peerQueueBytesMax } = limits;
    const full =
      found === undefined ||
      !found.lane.up ||
      frame.length > frameBytesMax ||
      (found.lane.inFlightBytes > 0 && found.lane.inFlightBytes + frame.length > peerQueueBytesMax);
    if (full) {
      this.#frames.dropped++;
      return false;
    }
    this.#frames.framesOut++;
    this.#frames.bytesOut += frame.length;
    this.#net.carry(found.connection, found.lane, this, frame);
    return true;
  }

  #makeGossip(): Gossip {
    return {
      start: async accept => {
        this.#accept = accept;
      },
      publish: message => {
        if (message.length > limits.gossipBytesMax) {
          this.#messages.oversized++;
          return;
        }
        if (!this.running || this.#accept === undefined) return;
        this.#messages.published++;
        this.#net.flood(this, message);
      },
      counters: () => ({ ...this.#messages }),
      stop: async () => {
        this.#accept = undefined;
      },
    };
  }
}

const pairOf = (a: NodeId, b: NodeId): string => (a < b ? `${a}|${b}` : `${b}|${a}`);

/** A network in virtual time; see the head of this file. */
export function createSimNet(options: SimNetOptions): SimNet {
  return new SimNet(options);
}
