/** What has a bound keeps it: windows of replication, rows that wait for the disk, attempts. */
import { limits } from '../../../src/model/limits.ts';
import type { SimCluster } from '../cluster.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';

/** Appends under way to one replica (`raft/production.ts`). */
const inflightMax = 128;

export class BoundsChecker implements Checker {
  sweep(cluster: SimCluster): void {
    for (const { id, node } of cluster.nodes) {
      if (node === undefined) continue;
      const atMost = (what: string, count: number, most: number): void =>
        check(count <= most, () => `${id}: ${count} ${what}, at most ${most} are allowed`);
      const { reactor } = node.worker;
      atMost('attempts wait', reactor.queued, limits.prefetchMax);
      atMost('attempts hold resources', reactor.running, limits.runningMax);
      for (const { group, core, machine } of node.loop.replicas()) {
        atMost(`dirty rows of group ${group}`, machine.dirtyRows, limits.dirtyRowsMax);
        atMost(`dirty bytes of group ${group}`, machine.dirtyBytes, limits.dirtyBytesMax);
        for (const peer of core.status().progress) {
          atMost(`appends of group ${group} to ${peer.id}`, peer.inflight, inflightMax);
        }
      }
    }
  }
}
