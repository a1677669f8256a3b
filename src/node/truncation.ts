/** The log of a replica as the policy of truncation sees it. */
import type { RaftCore } from '../raft/core.ts';
import type { ReplicaId } from '../raft/message.ts';
import type { LogCache } from './log-cache.ts';
import { isLong, type LogLimits, truncationPoint } from './log-policy.ts';

/**
 * Where to truncate now. `applied` is what the state on the disk stands for; `reaches` whether the
 * node of a replica is connected: the core alone forgets who is active at every check of its
 * quorum, and then a live laggard would look dead for a moment.
 */
export function pointOf(
  {
    core,
    log,
  }: { readonly core: Pick<RaftCore, 'id' | 'role' | 'status'>; readonly log: LogCache },
  applied: number,
  max: LogLimits,
  reaches: (id: ReplicaId) => boolean,
): number | undefined {
  const { size } = log;
  const first = log.firstIndex();
  const last = log.lastIndex();
  if (!isLong({ first, last, bytes: size.bytes }, max)) return undefined;
  const progress = core.role === 'leader' ? core.status().progress : [];
  return truncationPoint(
    {
      first,
      last,
      applied,
      peers: progress
        .filter(peer => peer.id !== core.id)
        .map(({ id, match, recentActive, pendingSnapshot }) => ({
          match,
          active: recentActive || reaches(id),
          snapshot: pendingSnapshot,
        })),
      bytes: size.bytes,
      bytesThrough: index => size.through(index),
      leaving: bytes => size.leaving(bytes),
    },
    max,
  );
}
