/**
 * Looks into a running node through the debugging protocol of Node, which SIGUSR1 switches on:
 * memory after a forced collection, and CPU profiles of exactly the time that is measured. The
 * node's program is not changed for it.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchNode } from './cluster.ts';

const openMs = 10_000;

export interface NodeMemory {
  /** JavaScript objects that are alive, and what they hold outside of the heap. */
  readonly liveBytes: number;
  readonly residentBytes: number;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { resolve(result: unknown): void; reject(error: Error): void }
  >();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', event => {
      const answer = JSON.parse(String(event.data)) as Answer;
      const waiter = this.#waiting.get(answer.id ?? 0);
      if (waiter === undefined) return;
      this.#waiting.delete(answer.id ?? 0);
      if (answer.error === undefined) waiter.resolve(answer.result);
      else waiter.reject(new Error(answer.error.message));
    });
    socket.addEventListener('close', () => {
      for (const waiter of this.#waiting.values()) {
        waiter.reject(new Error('the node closed the debugging connection'));
      }
      this.#waiting.clear();
    });
  }

  static async open(node: BenchNode): Promise<Inspector> {
    node.process.kill('SIGUSR1');
    const deadlineMs = performance.now() + openMs;
    for (;;) {
      const found = /Debugger listening on (ws:\/\/\S+)/.exec(readFileSync(node.log, 'utf8'));
      if (found !== null) {
        const socket = new WebSocket(found[1]!);
        await new Promise<void>((resolve, reject) => {
          socket.addEventListener('open', () => resolve(), { once: true });
          socket.addEventListener('error', () => reject(new Error('no debugging connection')), {
            once: true,
          });
        });
        return new Inspector(socket);
      }
      if (performance.now() > deadlineMs) throw new Error(`${node.name} cannot be looked into`);
      await delay(20);
    }
  }

  send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: result => resolve(result as T), reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** What is alive after collections; the second finds what the first one's finalizers let go. */
  async memory(): Promise<NodeMemory> {
    await this.send('HeapProfiler.collectGarbage');
    await delay(200);
    await this.send('HeapProfiler.collectGarbage');
    const { result } = await this.send<{ result: { value: string } }>('Runtime.evaluate', {
      expression: 'JSON.stringify(process.memoryUsage())',
      returnByValue: true,
    });
    const usage = JSON.parse(result.value) as { rss: number; heapUsed: number; external: number };
    return { liveBytes: usage.heapUsed + usage.external, residentBytes: usage.rss };
  }

  close(): void {
    this.#socket.close();
  }
}
