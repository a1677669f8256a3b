/**
 * The work of a soak: a steady mix of what users do, and the books on it. Every acknowledged task
 * is remembered until it was seen settled, by an event or by a read.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchCluster, BenchNode } from '../bench/cluster.ts';
import { Follower } from './follower.ts';

const tickMs = 1_000;
/** A task that was not seen settled for so long is looked at. */
const lookMs = 45_000;
/** So many of them at a time. */
const looksMax = 50;
/** What a submit may be answered with while a node is restarted. */
const passing = new Set(['noQuorum', 'outcomeUnknown', 'notLeader', 'starting', 'overloaded']);
const settled = new Set(['succeeded', 'failed', 'cancelled', 'aborted']);

interface Document {
  readonly command: readonly string[];
  readonly name?: string;
  readonly attempts?: number;
  readonly backoff?: string;
  readonly idempotencyKey?: string;
}

export class Load {
  readonly #cluster: BenchCluster;
  readonly #perSecond: number;
  /** Acknowledged and not seen settled, with when they were. */
  readonly #open = new Map<string, number>();
  readonly #toCancel: string[] = [];
  readonly #busy = new Set<Promise<void>>();
  readonly #follower: Follower;
  #running = false;
  #done: Promise<void> = Promise.resolve();
  #number = 0;
  readonly counts = {
    acknowledged: 0,
    refused: 0,
    unknown: 0,
    settled: 0,
    reads: 0,
    failedReads: 0,
  };
  /** Codes that no submit of this load should be answered with. */
  readonly refusals = new Set<string>();
  /** Acknowledged tasks that nobody knows any more and that were never seen settled. */
  readonly lost: string[] = [];

  constructor(cluster: BenchCluster, perSecond: number) {
    this.#cluster = cluster;
    this.#perSecond = perSecond;
    this.#follower = new Follower(cluster, id => this.#settled(id));
  }

  get open(): number {
    return this.#open.size;
  }

  get reconnects(): number {
    return this.#follower.connections;
  }

  start(): void {
    this.#running = true;
    this.#follower.start();
    this.#done = this.#work();
  }

  /** Submits no more; resolves once everything is seen settled, or the time is up. */
  async stop(patienceMs: number): Promise<void> {
    this.#running = false;
    await this.#done;
    await Promise.all(this.#busy);
    const endMs = performance.now() + patienceMs;
    while (this.#open.size > 0 && performance.now() < endMs) {
      await this.#look(0);
      await delay(tickMs);
    }
    await this.#follower.stop();
  }

  async #work(): Promise<void> {
    while (this.#running) {
      const beganMs = performance.now();
      for (const one of [this.#submit(), this.#cancel(), this.#read(), this.#look(lookMs)]) {
        const kept = one.finally(() => this.#busy.delete(kept));
        this.#busy.add(kept);
      }
      // What is not answered yet is the node's to answer; more than that is not piled up.
      while (this.#busy.size > 40) await Promise.race(this.#busy);
      await delay(Math.max(0, tickMs - (performance.now() - beganMs)));
    }
  }

  #node(): BenchNode | undefined {
    const { nodes } = this.#cluster;
    const awake = nodes.filter(({ process }) => process.exitCode === null);
    return awake[this.#number++ % Math.max(1, awake.length)];
  }

  /** The tasks of a second: quick ones, some long, some that fail, some with a key. */
  #documents(): Document[] {
    const documents: Document[] = [];
    for (let at = 0; at < this.#perSecond; at++) {
      const number = this.#number++;
      if (number % 40 === 0) documents.push({ command: ['sleep', String(2 + (number % 5))] });
      else if (number % 25 === 0) {
        documents.push({ command: ['false'], attempts: 3, backoff: '1s' });
      } else if (number % 20 === 0) documents.push({ command: ['echo', 'x'.repeat(200)] });
      else if (number % 15 === 0)
        documents.push({ command: ['true'], idempotencyKey: `soak-${number}` });
      else if (number % 10 === 0) documents.push({ command: ['true'], name: `own-${number}` });
      else documents.push({ command: ['true'] });
    }
    return documents;
  }

  async #submit(): Promise<void> {
    const node = this.#node();
    if (node === undefined) return;
    const tasks = this.#documents();
    const victims = [{ command: ['sleep', '600'] }];
    try {
      const body = { tasks: [...tasks, ...(this.#number % 2 === 0 ? victims : [])] };
      const { results } = await this.#cluster.call<{
        results: { ok: boolean; id?: string; code?: string }[];
      }>('/v1/tasks/batch', body, node);
      results.forEach((result, place) => {
        if (!result.ok || result.id === undefined) {
          this.counts.refused++;
          if (!passing.has(result.code ?? '')) this.refusals.add(result.code ?? 'no code');
          return;
        }
        this.counts.acknowledged++;
        this.#open.set(result.id, performance.now());
        if (place >= tasks.length) this.#toCancel.push(result.id);
      });
    } catch {
      // A node that stops, or a shard between two leaders: nothing was acknowledged.
      this.counts.unknown++;
    }
  }

  async #cancel(): Promise<void> {
    const node = this.#node();
    const ids = this.#toCancel.splice(0, this.#toCancel.length - 3);
    if (node === undefined || ids.length === 0) return;
    try {
      const { results } = await this.#cluster.call<{ results: { ok: boolean; code?: string }[] }>(
        '/v1/tasks/cancel',
        { ids, reason: 'soak' },
        node,
      );
      results.forEach((result, place) => {
        if (!result.ok && result.code !== 'alreadySettled') this.#toCancel.push(ids[place]!);
      });
    } catch {
      // It may have been done: a cancel may be repeated.
      this.#toCancel.push(...ids);
    }
  }

  /** Looks at lists, at one task and at its output. */
  async #read(): Promise<void> {
    const node = this.#node();
    const [id] = this.#open.keys();
    if (node === undefined) return;
    const paths = ['/v1/tasks?limit=20', '/v1/tasks?state=failed&limit=5', '/v1/shards'];
    if (id !== undefined) paths.push(`/v1/tasks/${id}`, `/v1/tasks/${id}/explain`);
    for (const path of paths) {
      this.counts.reads++;
      try {
        await this.#cluster.call(path, undefined, node);
      } catch {
        this.counts.failedReads++;
      }
    }
    if (id === undefined) return;
    try {
      await this.#cluster.call(`/v1/tasks/${id}/logs`, undefined, node);
    } catch (error) {
      // Most have no output yet: that is an answer too.
      if (!String(error).includes('"noOutput"')) this.counts.failedReads++;
    }
  }

  /** Reads the tasks that were not heard of for long: their events may have been missed. */
  async #look(olderMs: number): Promise<void> {
    const node = this.#node();
    if (node === undefined) return;
    const nowMs = performance.now();
    const old = [...this.#open].filter(([, atMs]) => nowMs - atMs >= olderMs).slice(0, looksMax);
    for (const [id, atMs] of old) {
      try {
        const { state } = await this.#cluster.call<{ state: string }>(
          `/v1/tasks/${id}`,
          undefined,
          node,
        );
        if (settled.has(state)) this.#settled(id);
        else if (olderMs > 0) this.#open.set(id, nowMs - olderMs + 10_000);
      } catch (error) {
        if (!String(error).includes('"unknownTask"')) continue;
        // An event may have told of it meanwhile.
        if (!this.#open.delete(id)) continue;
        const ageMs = Math.round(performance.now() - atMs);
        this.lost.push(`${id}, ${ageMs} ms after its acknowledgement: ${String(error)}`);
      }
    }
  }

  #settled(id: string): void {
    if (this.#open.delete(id)) this.counts.settled++;
  }
}
