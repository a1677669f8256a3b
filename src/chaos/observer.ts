/**
 * Watches a running cluster: asks every node that answers for its replicas, a few times a second,
 * and keeps who led which shard when. Two replicas that have applied the same entries must hold the
 * same state: every pair of samples that shows two of them at one index is compared, over the whole
 * run.
 */
import type { Cluster, ClusterNode } from './cluster.ts';
import { DigestComparison, levelKey } from './digests.ts';
import type { LeaderSample, ReplicaComparison, ReplicaSample } from './history.ts';
import { Interrupted, pause, until } from './until.ts';

const askMsMin = 1_000;
/** An answer may take so many times as long as is waited between two questions. */
const askPerLook = 5;

export class Observer {
  readonly samples: LeaderSample[] = [];
  readonly #cluster: Cluster;
  readonly #shards: number;
  readonly #sinceStartMs: () => number;
  readonly #comparison = new DigestComparison();
  /** What each node showed last; nothing of one that does not answer. */
  readonly #latest = new Map<number, readonly ReplicaSample[]>();
  /** By node, shards of which it had a replica when it last answered. */
  readonly #hosted = new Map<number, readonly number[]>();
  readonly #stop = new AbortController();
  #work: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, sinceStartMs: () => number) {
    this.#cluster = cluster;
    this.#shards = cluster.shards;
    this.#sinceStartMs = sinceStartMs;
  }

  begin(): void {
    this.#work = Promise.all(this.#cluster.nodes.map(node => this.#watch(node)));
    this.#work.catch(() => undefined /* `end` tells it. */);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #watch(node: ClusterNode): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        await this.#look(node);
        await pause(this.#cluster.lookEveryMs, signal);
      }
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  /** One look at one node. */
  async #look(node: ClusterNode): Promise<void> {
    const replicas = node.awake ? await this.#ask(node) : undefined;
    if (replicas === undefined) this.#latest.delete(node.number);
    else {
      this.#latest.set(node.number, replicas);
      this.#hosted.set(
        node.number,
        replicas.map(({ shard }) => shard),
      );
      for (const replica of replicas) this.#comparison.add(node.name, replica);
    }
    this.#note();
  }

  async #ask(node: ClusterNode): Promise<readonly ReplicaSample[] | undefined> {
    try {
      const limitMs = Math.max(askMsMin, askPerLook * this.#cluster.lookEveryMs);
      const { status, body } = await this.#cluster.call(node, '/v1/replicas', { limitMs });
      return status === 200 ? (body as { replicas: ReplicaSample[] }).replicas : undefined;
    } catch {
      // It is down, frozen or starting: it leads nothing that anybody could see.
      return undefined;
    }
  }

  /** Whether every shard keeps most of its replicas when these nodes take no part. */
  keepsMajorities(away: ReadonlySet<number>): boolean {
    const seats = new Array<number>(this.#shards + 1).fill(0);
    const left = [...seats];
    for (const [number, shards] of this.#hosted) {
      for (const shard of shards.filter(one => one > 0)) {
        seats[shard] = (seats[shard] ?? 0) + 1;
        if (!away.has(number)) left[shard] = (left[shard] ?? 0) + 1;
      }
    }
    return seats.every((count, shard) => 2 * left[shard]! > count || count === 0);
  }

  /** Of two that say they lead the higher term is right. */
  leaders(): number[] {
    const leaders = new Array<number>(this.#shards).fill(0);
    const terms = new Array<number>(this.#shards).fill(-1);
    for (const [number, replicas] of this.#latest) {
      for (const { shard, leading, term } of replicas) {
        if (!leading || shard < 1 || shard > this.#shards) continue;
        if (term <= terms[shard - 1]!) continue;
        terms[shard - 1] = term;
        leaders[shard - 1] = number;
      }
    }
    return leaders;
  }

  #note(): void {
    this.samples.push({ atMs: this.#sinceStartMs(), leaders: this.leaders() });
  }

  /** Until every replica of a running node was seen level with another one; what was compared. */
  async compareAtEnd(limitMs: number, signal: AbortSignal): Promise<ReplicaComparison> {
    this.#comparison.restart();
    const behind = (): string[] =>
      [...this.#latest].flatMap(([number, replicas]) => {
        const { name } = this.#cluster.node(number);
        return replicas
          .filter(({ shard }) => !this.#comparison.isLevel(name, shard))
          .map(({ shard }) => levelKey(name, shard));
      });
    const lone = this.#cluster.nodes.length < 2;
    const level = (): boolean => lone || (this.#latest.size > 0 && behind().length === 0);
    await until(level, { limitMs, pollMs: 100, signal });
    return {
      compared: this.#comparison.compared,
      divergences: this.#comparison.divergences,
      behind: level() ? [] : behind(),
    };
  }
}
