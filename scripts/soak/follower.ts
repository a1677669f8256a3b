/** Follows the events of a cluster as a client does: from node to node, behind the last cursor. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchCluster } from '../bench/cluster.ts';

/** A connection is given up after this, so that coming back is part of the soak. */
const connectionMs = 30_000;
const retryMs = 500;

export class Follower {
  readonly #cluster: BenchCluster;
  readonly #onSettled: (id: string) => void;
  readonly #stop = new AbortController();
  #cursor = '';
  #done: Promise<void> = Promise.resolve();
  connections = 0;
  events = 0;

  constructor(cluster: BenchCluster, onSettled: (id: string) => void) {
    this.#cluster = cluster;
    this.#onSettled = onSettled;
  }

  start(): void {
    this.#done = this.#follow();
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.#done;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const node = this.#cluster.nodes[this.connections % this.#cluster.nodes.length]!;
      this.connections++;
      try {
        const response = await fetch(`http://${node.host}:${node.port}/v1/events`, {
          headers: {
            authorization: `Bearer ${this.#cluster.token}`,
            ...(this.#cursor === '' ? {} : { 'last-event-id': this.#cursor }),
          },
          signal: AbortSignal.any([signal, AbortSignal.timeout(connectionMs)]),
        });
        // What was missed is read by whoever waits for it.
        if (response.status === 410) this.#cursor = '';
        if (response.ok && response.body !== null) await this.#read(response.body);
      } catch {
        // The node stops, or the time of the connection is up: the next one goes on.
      }
      if (!signal.aborted) await delay(retryMs);
    }
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end < 0) break;
        this.#take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  #take(block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (id === undefined || data === undefined) return;
    this.#cursor = id;
    this.events++;
    const event = JSON.parse(data) as { kind?: string; taskId?: string };
    if (event.kind === 'settled' && event.taskId !== undefined) this.#onSettled(event.taskId);
  }
}
