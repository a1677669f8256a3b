/** The log of a replica as the policy of truncation sees it. */
import type { RaftCore } from '../raft/core.ts';
import type { LogCache } from './log-cache.ts';
import { isLong, type LogLimits, truncationPoint } from './log-policy.ts';

/** Where to truncate now; `applied` is what the state on the disk stands for. */
export function pointOf(
  { core, log }: { readonly core: RaftCore; readonly log: LogCache },
  applied: number,
  max: LogLimits,
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
        .map(({ match, recentActive, pendingSnapshot }) => ({
          match,
          active: recentActive,
          snapshot: pendingSnapshot,
        })),
      bytes: size.bytes,
      bytesThrough: index => size.through(index),
      leaving: bytes => size.leaving(bytes),
    },
    max,
  );
}
