/** What the parts of a node share: its name, its ports and a few questions they ask one another. */
import type { NodeId, ShardId } from '../model/ids.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { DriveLoop } from './drive-loop.ts';
import type { Peers } from './peers.ts';

export interface NodeContext {
  readonly nodeId: NodeId;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly peers: Peers;
  readonly loop: DriveLoop;
  /** What every node reads: a command kind of a newer cluster version may not be proposed. */
  clusterVersion(): number;
  /** Who leads a group, as far as this node knows. */
  leaderOf(group: ShardId): NodeId | undefined;
}

/**
 * Runs `work` and logs and counts its failure: for what goes on in the background and is repeated
 * anyway, so that no rejection is lost and none ends the process.
 */
export function background(
  context: { readonly log: Log },
  what: string,
  work: Promise<unknown>,
): void {
  work.catch((error: unknown) => {
    context.log.debug('background work failed', {
      what,
      why: error instanceof Error ? error.message : String(error),
    });
  });
}

/** What a worker is told of a start bound; nothing while some node could not read it. */
export const boundInMs = (context: NodeContext, boundMs: number): number | undefined =>
  context.clusterVersion() < 3 ? undefined : Math.max(0, boundMs - context.clock.wallMs());
