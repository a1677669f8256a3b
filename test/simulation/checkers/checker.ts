/** What every checker is: asked at its natural points, throws a `Violation` where one is broken. */
import type { SimCluster } from '../cluster.ts';
import type { SimNode } from '../sim-node.ts';

export interface Checker {
  /** An event ran inside a process of `node`, and every promise that it settled. */
  afterEvent?(node: SimNode): void;
  /** A frame leaves `node`. */
  sent?(node: SimNode, peer: string, frame: Uint8Array): void;
  /** The process of `node` is gone. */
  crashed?(node: SimNode): void;
  /** Now and then, for what costs more than a moment. */
  sweep?(cluster: SimCluster): void;
  /** After the healing: everything has to be right and equal. */
  final?(cluster: SimCluster): void;
}
