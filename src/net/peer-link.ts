/**
 * What a node keeps towards one peer: every open connection to it, and the one stream that carries
 * our frames there. One attempt runs at a time:
 *
 *   idle ──wanted, or a connection came──▶ attempting ──stream open──▶ up
 *    ▲                                        │  ▲                      │
 *    └── nothing wanted, nothing open ────────┘  └──── stream lost ─────┘
 *
 * Invariant: `onUp` and `onDown` alternate. A loss is reported as soon as the first redial is
 * decided, or after `lossDecisionMs`, so that a process that is gone is told from a network that is
 * silent. Two connections to one peer, from dials that crossed, are both kept: closing one could
 * close what the other side has just begun to use.
 */
import type { Multiaddr } from '@multiformats/multiaddr';
import type { NodeId } from '../model/ids.ts';
import type { Log } from '../ports/log.ts';
import { type Connection, FrameWriter, type Stream } from './frame-writer.ts';
import { framesProtocol, timing } from './protocols.ts';

export interface LinkDeps {
  dial(addresses: Multiaddr[], signal: AbortSignal): Promise<Connection>;
  onUp(peer: NodeId): void;
  onDown(peer: NodeId, refused: boolean): void;
  /** The link is idle, nobody wants it and nothing is open: it can be forgotten. */
  onIdle(link: PeerLink): void;
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  readonly log: Log;
}

/** A process may die soon after it was reached: a few short lives are redialled at once. */
const shortLivesFree = 3;
/** Frames held for a peer that already writes to us while our own stream is being opened. */
const earlyBytesMax = 1024 * 1024;

export class PeerLink {
  readonly peer: NodeId;
  readonly #deps: LinkDeps;
  /** In the order in which they were opened; the first open one carries our stream. */
  readonly #connections = new Set<Connection>();
  #addresses: Multiaddr[] = [];
  /** Where the last stream that we dialled ourselves went: redialled first after a loss. */
  #lastAddress: Multiaddr | undefined;
  #wanted = false;
  #stopped = false;
  #writer: FrameWriter | undefined;
  #upSinceMs = 0;
  /** Attempts that failed since the link was last up. */
  #failures = 0;
  /** Streams in a row that were lost again soon after they were opened. */
  #shortLives = 0;
  #attempting = false;
  /** Ends the wait between attempts, or the wait for a dial, when there is something new to try. */
  #nudge: (() => void) | undefined;
  /** Cancels the timer that decides an undecided loss; there only while a loss is unreported. */
  #undecided: (() => void) | undefined;
  #lastHeardMs: number;
  #heard = false;
  /** The peer can write to us. */
  #inbound = false;
  /** Answers to a peer that was quicker than our own stream: sent as soon as that is open. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;

  constructor(peer: NodeId, deps: LinkDeps) {
    this.peer = peer;
    this.#deps = deps;
    this.#lastHeardMs = deps.nowMs();
  }

  get writer(): FrameWriter | undefined {
    return this.#writer;
  }

  get idle(): boolean {
    return !this.#wanted && this.#connections.size === 0 && !this.#attempting;
  }

  get hasConnections(): boolean {
    return this.#connections.size > 0;
  }

  /** Milliseconds since anything came from this peer, and whether its stream ever spoke. */
  get silence(): { ms: number; heard: boolean } {
    return { ms: this.#deps.nowMs() - this.#lastHeardMs, heard: this.#heard };
  }

  /** False where the frame is dropped. */
  send(frame: Uint8Array): boolean {
    if (this.#writer !== undefined) return this.#writer.send(frame);
    if (!this.#inbound || !this.#attempting) return false;
    if (this.#earlyBytes + frame.length > earlyBytesMax) return false;
    this.#early.push(frame);
    this.#earlyBytes += frame.length;
    return true;
  }

  /** Told when the peer's stream to us opens and closes. */
  setInbound(open: boolean): void {
    this.#inbound = open;
    if (!open) this.#dropEarly();
  }

  heard(): void {
    this.#heard = true;
    this.#lastHeardMs = this.#deps.nowMs();
  }

  /** Keeps the link from now on. Dials at once unless it is up. */
  want(addresses: Multiaddr[]): void {
    const same =
      addresses.length === this.#addresses.length &&
      addresses.every((address, position) => this.#addresses[position]?.equals(address));
    // Saying the same again must not cut the backoff short.
    if (this.#wanted && same) return;
    this.#wanted = true;
    this.#addresses = addresses;
    this.#kick();
  }

  /** Tries again at once: what failed so far failed for a reason that is gone. */
  wake(): void {
    this.#failures = 0;
    this.#kick();
  }

  addConnection(connection: Connection): void {
    if (this.#connections.size === 0) {
      this.#lastHeardMs = this.#deps.nowMs();
      this.#heard = false;
    }
    this.#connections.add(connection);
    this.#kick();
  }

  removeConnection(connection: Connection): void {
    this.#connections.delete(connection);
    // The stream reports its own end; this covers one that never got that far.
    if (this.#writer === undefined) this.#kick();
    if (this.idle) this.#deps.onIdle(this);
  }

  /** Ends all connections; where the link is wanted they are dialled again. */
  hangUp(reason: string): void {
    for (const connection of [...this.#connections]) connection.abort(new Error(reason));
  }

  /** Gives the link up for good. A link that was up is reported as down. */
  stop(): void {
    this.#stopped = true;
    this.#wanted = false;
    this.#nudge?.();
    this.#dropEarly();
    const wasUp = this.#writer !== undefined || this.#undecided !== undefined;
    this.#undecided?.();
    this.#undecided = undefined;
    this.#writer?.close();
    this.#writer = undefined;
    if (wasUp) this.#deps.onDown(this.peer, false);
  }

  #kick(): void {
    if (this.#stopped || this.#writer !== undefined) return;
    if (this.#attempting) this.#nudge?.();
    else if (this.#wanted || this.#connections.size > 0) void this.#attemptUntilUp();
  }

  /** Never rejects: every failure of an attempt is an outcome here. */
  async #attemptUntilUp(): Promise<void> {
    this.#attempting = true;
    if (this.#shortLives > shortLivesFree) {
      this.#failures = this.#shortLives - shortLivesFree;
      await this.#pause();
    }
    while (!this.#stopped && (this.#wanted || this.#connections.size > 0)) {
      const found = this.#openConnection();
      let connection: Connection | undefined;
      let stream: Stream;
      try {
        connection = found ?? (await this.#dial());
        if (connection === undefined) continue;
        stream = await openStream(connection);
      } catch (error) {
        // A connection that died together with the last stream proves nothing: dial at once.
        if (found !== undefined && found.status !== 'open') this.#connections.delete(found);
        else await this.#onFailure(error);
        continue;
      }
      if (this.#becomeUp(connection, stream)) break;
      await this.#onFailure(new Error('stream closed while it was opened'));
    }
    this.#attempting = false;
    if (this.#writer === undefined) this.#decideLoss(false);
    if (this.idle) this.#deps.onIdle(this);
  }

  async #onFailure(error: unknown): Promise<void> {
    this.#failures++;
    this.#dropEarly();
    this.#deps.log.debug('peer not reached', { peer: this.peer, cause: String(error) });
    // Anything but a refusal leaves it open until the timer: a process that is being killed loses
    // its connections a little before its listening socket, and resets us in between.
    if (isRefused(error)) this.#decideLoss(true);
    await this.#pause();
  }

  #openConnection(): Connection | undefined {
    for (const connection of this.#connections) {
      if (connection.status === 'open') return connection;
    }
    return undefined;
  }

  /** Dials, or returns `undefined` as soon as the peer's own dial has brought a connection. */
  async #dial(): Promise<Connection | undefined> {
    if (!this.#wanted || this.#addresses.length === 0) {
      this.#failures++;
      this.#decideLoss(false);
      await this.#pause();
      return undefined;
    }
    const last = this.#failures === 0 ? this.#lastAddress : undefined;
    const known = last !== undefined && this.#addresses.some(address => address.equals(last));
    const addresses = known && last !== undefined ? [last] : this.#addresses;
    const dialled = this.#deps.dial(addresses, AbortSignal.timeout(timing.dialMs));
    const nudged = new Promise<undefined>(resolve => {
      this.#nudge = () => {
        if (this.#stopped || this.#openConnection() !== undefined) resolve(undefined);
      };
    });
    try {
      // A dial that is overtaken is left to finish: ending it would break a connection that the
      // other side may already use. The race has then taken its rejection as seen.
      return await Promise.race([dialled, nudged]);
    } finally {
      this.#nudge = undefined;
    }
  }

  /** Waits before the next attempt, longer after each failure, or until something changes. */
  #pause(): Promise<void> {
    const least = this.#undecided === undefined ? timing.redialMsMin : timing.undecidedMsMin;
    const base = Math.min(timing.redialMsMax, least * 2 ** Math.min(this.#failures - 1, 10));
    const delayMs = base * (1 + this.#deps.random() / 2);
    return new Promise(resolve => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#nudge = undefined;
        resolve();
      };
      const timer = setTimeout(finish, delayMs);
      this.#nudge = finish;
    });
  }

  /** False where the stream is gone already. */
  #becomeUp(connection: Connection, stream: Stream): boolean {
    if (this.#stopped) {
      stream.abort(new Error('link stopped'));
      return true;
    }
    if (stream.status !== 'open') return false;
    this.#failures = 0;
    this.#decideLoss(false);
    const writer = new FrameWriter(stream, this.#deps.nowMs);
    this.#writer = writer;
    for (const frame of this.#early) writer.send(frame);
    this.#dropEarly();
    this.#upSinceMs = this.#deps.nowMs();
    if (connection.direction === 'outbound') this.#lastAddress = connection.remoteAddr;
    const lost = (): void => this.#onLost(writer);
    stream.addEventListener('close', lost, { once: true });
    // The other side only reads. Where it ends its half, it does not want this stream any more.
    stream.addEventListener('remoteCloseWrite', () => stream.abort(new Error('closed by peer')), {
      once: true,
    });
    this.#deps.log.debug('peer up', { peer: this.peer });
    this.#deps.onUp(this.peer);
    return true;
  }

  #dropEarly(): void {
    this.#early = [];
    this.#earlyBytes = 0;
  }

  #onLost(writer: FrameWriter): void {
    writer.close();
    if (this.#writer !== writer) return;
    this.#writer = undefined;
    const livedMs = this.#deps.nowMs() - this.#upSinceMs;
    // A peer that takes streams and drops them again is not redialled in a tight loop.
    this.#shortLives = livedMs < timing.shortLifeMs ? this.#shortLives + 1 : 0;
    const timer = setTimeout(() => this.#decideLoss(false), timing.lossDecisionMs);
    this.#undecided = () => clearTimeout(timer);
    this.#deps.log.debug('peer lost', { peer: this.peer, livedMs: Math.round(livedMs) });
    // Not within the event: the connection is marked as closed only after its streams are.
    setImmediate(() => this.#kick());
  }

  /** Reports a loss that is not reported yet. */
  #decideLoss(refused: boolean): void {
    if (this.#undecided === undefined) return;
    this.#undecided();
    this.#undecided = undefined;
    this.#deps.onDown(this.peer, refused);
  }
}

/** Opens our stream; gives up as soon as the connection closes under it. */
async function openStream(connection: Connection): Promise<Stream> {
  const closed = new AbortController();
  const onClose = (): void => closed.abort(new Error('connection closed'));
  connection.addEventListener('close', onClose, { once: true });
  try {
    const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(timing.openStreamMs)]);
    return await connection.newStream(framesProtocol, { signal });
  } finally {
    connection.removeEventListener('close', onClose);
  }
}

/** True where every address answered that nobody listens there. */
function isRefused(error: unknown): boolean {
  if (error instanceof AggregateError) {
    return error.errors.length > 0 && error.errors.every(isRefused);
  }
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
