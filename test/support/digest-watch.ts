/**
 * Compares the state of replicas while a cluster runs: two that have applied as much of a shard
 * must have the same digest, whatever programs they belong to.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RealCluster } from './real-cluster.ts';
import type { RealNode } from './real-node.ts';
import { until } from './until.ts';

const everyMs = 100;
const askMs = 2_000;

interface ReplicaRow {
  readonly shard: number;
  readonly applied: number;
  readonly digest: string;
}

interface Seen {
  readonly node: string;
  readonly program: string;
  readonly digest: string;
}

export class DigestWatch {
  /** What is wrong, in words. */
  readonly faults: string[] = [];
  /** How often replicas of two programs were seen at the same point of a shard. */
  acrossPrograms = 0;
  readonly #cluster: RealCluster;
  /** The first of each shard and index. */
  readonly #seen = new Map<string, Seen>();

  constructor(cluster: RealCluster) {
    this.#cluster = cluster;
  }

  /** Looks again and again; rejects only where the watch itself is wrong. */
  async watch(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await Promise.all(this.#cluster.alive.map(node => this.#look(node)));
      await delay(everyMs);
    }
  }

  async #look(node: RealNode): Promise<void> {
    const { program, name, address } = node;
    if (address === '') return;
    const replicas = await replicasOf(this.#cluster, node).catch(() => []);
    // It may have been replaced while it answered.
    if (node.address !== address || node.program !== program) return;
    for (const { shard, applied, digest } of replicas) {
      this.#note(`shard ${shard} at ${applied}`, { node: name, program, digest });
    }
  }

  #note(what: string, now: Seen): void {
    const first = this.#seen.get(what);
    if (first === undefined) {
      this.#seen.set(what, now);
      return;
    }
    if (first.program !== now.program) this.acrossPrograms += 1;
    if (first.digest === now.digest) return;
    this.faults.push(`${what}: ${first.digest} on ${first.node}, ${now.digest} on ${now.node}`);
  }
}

async function replicasOf(cluster: RealCluster, node: RealNode): Promise<readonly ReplicaRow[]> {
  const { status, body } = await cluster.call<{ replicas: ReplicaRow[] }>(
    node,
    'GET',
    '/v1/replicas',
    undefined,
    askMs,
  );
  return status === 200 ? body.replicas : [];
}

/** Until all replicas of each shard have applied as much; the digests of each shard then. */
export function untilLevel(
  cluster: RealCluster,
  limitMs = 30_000,
): Promise<Map<number, Map<string, string>>> {
  return until(
    'all replicas have applied as much',
    async () => {
      const digests = new Map<number, Map<string, string>>();
      const applied = new Map<number, number>();
      for (const node of cluster.alive) {
        for (const row of await replicasOf(cluster, node)) {
          if ((applied.get(row.shard) ?? row.applied) !== row.applied) return undefined;
          applied.set(row.shard, row.applied);
          const of = digests.get(row.shard) ?? new Map<string, string>();
          digests.set(row.shard, of.set(node.name, row.digest));
        }
      }
      return digests;
    },
    limitMs,
  );
}
