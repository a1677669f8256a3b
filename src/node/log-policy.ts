/**
 * How far a log may be truncated. Every replica decides for itself: what it drops is applied and on
 * its disk, so that nobody needs it but replicas that lag, and they can be sent the state instead.
 *
 * A leader keeps what its live followers still need, and what follows a snapshot that it is
 * sending, however long that takes; only beyond a hard limit it leaves laggards to a snapshot. A
 * follower keeps the same trailing entries, in case it leads next.
 */
import { limits } from '../model/limits.ts';

export interface LogLimits {
  readonly entriesKept: number;
  readonly entriesSpare: number;
  readonly bytesSpare: number;
  readonly bytesMax: number;
}

export const standardLog: LogLimits = {
  entriesKept: limits.logEntriesKept,
  entriesSpare: limits.logEntriesSpare,
  bytesSpare: limits.logBytesSpare,
  bytesMax: limits.logBytesMax,
};

export interface LogPeer {
  /** Last entry that it is known to have. */
  readonly match: number;
  /** Heard from lately: it will want what follows. */
  readonly active: boolean;
  /** Index of the snapshot that it is being sent; 0 for none. */
  readonly snapshot: number;
}

export interface LogPicture {
  readonly first: number;
  readonly last: number;
  /** Applied index of the state that is on the disk. */
  readonly applied: number;
  /** The other replicas, where this one leads. */
  readonly peers: readonly LogPeer[];
  readonly bytes: number;
  /** Bytes of the entries up to an index. */
  bytesThrough(index: number): number;
  /** The least index behind which at most so many bytes are left. */
  leaving(bytes: number): number;
}

/** Whether a log may be long enough to look closer. Cheap: asked for every group at every tick. */
export const isLong = (log: { first: number; last: number; bytes: number }, max: LogLimits) =>
  log.last - log.first + 1 > max.entriesSpare || log.bytes > max.bytesSpare;

/** Last index that is to go now, or `undefined` for none. */
export function truncationPoint(log: LogPicture, max: LogLimits): number | undefined {
  let most = log.applied;
  let wanted = Math.min(most, log.last - max.entriesKept);
  for (const peer of log.peers) {
    // What follows the snapshot is all that joins it to the log.
    if (peer.snapshot > 0) most = Math.min(most, peer.snapshot);
    else if (peer.active) wanted = Math.min(wanted, peer.match);
  }
  wanted = Math.min(wanted, most);
  const count = wanted - log.first + 1;
  const worthIt =
    count > 0 && (count > max.entriesSpare || log.bytesThrough(wanted) > max.bytesSpare);
  const soft = worthIt ? wanted : log.first - 1;
  // Half of it goes, so that the next batch is not the next occasion.
  const hard = log.bytes > max.bytesMax ? Math.min(most, log.leaving(max.bytesMax / 2)) : 0;
  const point = Math.max(soft, hard);
  return point >= log.first ? point : undefined;
}
