/**
 * Comparing replicas by the digests of their state: two that have applied the same entries of a
 * shard must hold the same. Samples come in as they are taken, of any node at any time.
 */
import type { Divergence, ReplicaSample } from './history.ts';

/** Indices kept for each shard; replicas are rarely further apart than a second's entries. */
const indicesMax = 2_000;

interface Seen {
  readonly node: string;
  readonly digest: string;
}

/** Compares digests as they come in. */
export class DigestComparison {
  readonly #byShard = new Map<number, Map<number, Seen>>();
  /** Replicas that were level with another one since `expect` was called. */
  readonly #level = new Set<string>();
  readonly divergences: Divergence[] = [];
  compared = 0;

  add(node: string, { shard, applied, digest }: ReplicaSample): void {
    let byIndex = this.#byShard.get(shard);
    if (byIndex === undefined) this.#byShard.set(shard, (byIndex = new Map()));
    const other = byIndex.get(applied);
    if (other === undefined) {
      byIndex.set(applied, { node, digest });
      if (byIndex.size > indicesMax) byIndex.delete(byIndex.keys().next().value!);
      return;
    }
    if (other.node === node && other.digest === digest) return;
    this.compared++;
    if (other.digest !== digest) {
      const known = this.divergences.some(one => one.shard === shard);
      if (!known) this.divergences.push({ shard, applied, nodes: [other.node, node] });
      return;
    }
    this.#level.add(levelKey(node, shard)).add(levelKey(other.node, shard));
  }

  /** Forgets who was level: from now on it has to be seen again. */
  restart(): void {
    this.#level.clear();
    this.#byShard.clear();
  }

  isLevel(node: string, shard: number): boolean {
    return this.#level.has(levelKey(node, shard));
  }
}

export const levelKey = (node: string, shard: number): string => `${node} shard ${shard}`;
