/**
 * An operator of the simulated cluster: drains nodes, takes that back or removes them, and starts
 * new ones, through the same verbs as a person, while clients ask and faults happen. Whatever is
 * refused or remains without an answer is left at that.
 */
import { TschedError } from '../../src/model/errors.ts';
import type { NodeApi, NodeSummary } from '../../src/ports/node-api.ts';
import { type SimCluster, simAdminToken } from './cluster.ts';

export interface OperatorCounts {
  drains: number;
  undrains: number;
  removals: number;
  joins: number;
  refused: number;
}

const machinesMax = 6;
/** So many machines are added in all. */
const joinsMax = 4;
const patienceMs = 15_000;

/** Begins at once; call what it returns to make it stop. `counts` says what was done. */
export function operate(cluster: SimCluster, counts: OperatorCounts): () => void {
  const random = cluster.random('operator');
  const below = (count: number): number => Math.floor((random.uint32() / 2 ** 32) * count);
  const drainedSince = new Map<string, number>();
  let active = true;

  const ask = (kind: keyof OperatorCounts, verb: (api: NodeApi) => Promise<unknown>): void => {
    const asked = cluster.nodes.filter(node => node.running);
    const api = asked[below(asked.length)]?.node?.api;
    if (api === undefined) return;
    verb(api).then(
      () => {
        counts[kind] += 1;
      },
      (error: unknown) => {
        if (!(error instanceof TschedError)) throw error;
        counts.refused += 1;
      },
    );
  };

  const treat = (node: NodeSummary): void => {
    const sinceMs = drainedSince.get(node.id) ?? cluster.time.nowMs;
    drainedSince.set(node.id, sinceMs);
    const late = cluster.time.nowMs - sinceMs > patienceMs;
    if (node.drain?.drained === true && below(2) === 0) {
      cluster.leaving.add(node.id);
      ask('removals', api => api.removeNode(node.id, { force: false }, simAdminToken));
    } else if (late && below(2) === 0) {
      drainedSince.delete(node.id);
      ask('undrains', api => api.drainNode(node.id, { on: false, force: false }, simAdminToken));
    }
  };

  const act = async (): Promise<void> => {
    const [looked] = cluster.nodes.filter(node => node.running && node.node?.ready === true);
    if (looked?.node === undefined) return;
    const nodes = await looked.node.api.nodes();
    const draining = nodes.filter(node => node.state === 'draining');
    for (const node of draining) treat(node);
    const dead = nodes.find(node => node.state === 'dead');
    if (dead !== undefined && below(3) === 0) {
      cluster.leaving.add(dead.id);
      ask('removals', api => api.removeNode(dead.id, { force: false }, simAdminToken));
    }
    if (cluster.nodes.length < machinesMax && counts.joins < joinsMax && below(2) === 0) {
      counts.joins += 1;
      cluster.boot(cluster.addMachine());
    } else if (draining.length === 0) {
      const node = nodes[below(nodes.length)];
      const deadlineMs = below(2) === 0 ? undefined : below(10_000);
      if (node === undefined) return;
      ask('drains', api =>
        api.drainNode(node.id, { on: true, deadlineMs, force: below(8) === 0 }, simAdminToken),
      );
    }
  };

  const next = (): void => {
    if (!active) return;
    act().catch((error: unknown) => {
      if (!(error instanceof TschedError)) throw error;
    });
    cluster.time.after(500 + below(4_000), next);
  };
  cluster.time.after(1 + below(1_000), next);
  return () => {
    active = false;
  };
}
