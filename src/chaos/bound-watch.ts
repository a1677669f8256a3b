/**
 * Hears of missed start bounds as a client does: follows the events of the cluster from node to
 * node, behind the last cursor, so that none is missed and none is heard twice.
 */
import type { Cluster } from './cluster.ts';
import { pause, until } from './until.ts';

/** A connection is given up after so long, as its node may be cut off; at least. */
const connectionMsMin = 15_000;
/** The same in looks at a node, of one that is slow. */
const connectionLooks = 20;

export class BoundWatch {
  /** By task, when each was told. */
  readonly told = new Map<string, number[]>();
  /** Every event since the beginning was heard. */
  whole = true;
  readonly #cluster: Cluster;
  readonly #stop = new AbortController();
  #cursor: string | undefined;
  #turn = 0;
  /** Nodes in a row that do not keep what is behind the cursor. */
  #expired = 0;
  #heard = false;
  #work: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Resolves once a node tells events, or when the time is up. */
  async begin(limitMs: number, signal: AbortSignal): Promise<void> {
    this.#work = this.#follow();
    this.#work.catch(() => undefined /* `end` tells it. */);
    await until(() => this.#heard, { limitMs, signal });
  }

  /** Until of each of these tasks something was told, unless that cannot be. */
  async untilTold(ids: readonly string[], limitMs: number, signal: AbortSignal): Promise<void> {
    const isTold = (): boolean => !this.whole || ids.every(id => this.told.has(id));
    await until(isTold, { limitMs, signal });
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#connect(signal);
      } catch {
        // The node ends, or the time of the connection is up: the next one goes on.
      }
      try {
        await pause(this.#cluster.retryEveryMs, signal);
      } catch {
        // To end.
        return;
      }
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const awake = this.#cluster.nodes.filter(node => node.awake);
    const node = awake[this.#turn++ % Math.max(1, awake.length)];
    if (node === undefined) return;
    const limitMs = Math.max(connectionMsMin, connectionLooks * this.#cluster.lookEveryMs);
    const response = await this.#cluster.events(node, {
      cursor: this.#cursor,
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    });
    if (response.status === 410) this.#lose(awake.length);
    if (!response.ok || response.body === null) return;
    // Without a cursor it begins now: what was told since the last connection is lost.
    if (this.#heard && this.#cursor === undefined) this.whole = false;
    this.#heard = true;
    await this.#read(response.body);
  }

  /** Another node may have what this one does not keep any more. */
  #lose(nodes: number): void {
    this.#expired++;
    if (this.#expired < 2 * nodes) return;
    this.whole = false;
    this.#cursor = undefined;
    this.#expired = 0;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (id === undefined || data === undefined) return;
    this.#cursor = id;
    this.#expired = 0;
    // Most events are of other kinds, and there are many.
    if (!data.includes('"boundMissed"')) return;
    const { kind, taskId, atMs } = JSON.parse(data) as Record<string, unknown>;
    if (kind !== 'boundMissed' || typeof taskId !== 'string' || typeof atMs !== 'number') return;
    this.told.set(taskId, [...(this.told.get(taskId) ?? []), atMs]);
  }
}
