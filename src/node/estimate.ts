/** When a waiting task is likely to start, and what that is reckoned from. */
import type { StartEstimate } from '../model/explanation.ts';
import type { WaitingReason } from '../model/task.ts';
import { rateWindowMs } from './start-rate.ts';

/** What nobody can reckon: it depends on what was asked for, or on other tasks. */
const unknowable: Partial<Record<WaitingReason, string>> = {
  Dependency: 'it starts after the tasks that it follows, however long these take',
  Paused: 'it stays until it is resumed',
  OrderKey: 'it starts after the tasks of its order key before it, however long these take',
  MaxRunning: 'it starts when a task of its key has ended, however long that takes',
  Gang: 'it starts when all of its gang can, and one of them cannot yet',
  Reservation: 'it starts when the reservation that it names has room',
  RoomKept: 'it starts when enough has ended on the nodes where room is kept for it',
  Quota: 'it starts when its tenant holds less than its plan allows',
  RateLimit: 'it starts when its tenant may take more',
  OffPeak: 'it starts when the load or a window lets it go, at the latest near its start bound',
  NeverFits: 'no node is large enough',
  TierUnavailable: 'no node at hand has what it asks for',
  NoNodes: 'no node that could run anything has been heard of lately',
  ShardNoQuorum: 'its shard has no leader with a majority',
};

export function estimateStart(task: {
  readonly reason: WaitingReason;
  readonly nowMs: number;
  /** Not before then: the end of its back-off, or its begin time. */
  readonly readyAtMs: number;
  readonly place: { readonly position: number } | undefined;
  /** Starts in its shard; `undefined` where this node does not lead it. */
  readonly lately: { readonly starts: number; readonly overMs: number } | undefined;
}): StartEstimate {
  const { reason, nowMs, readyAtMs, place, lately } = task;
  const why = unknowable[reason];
  if (why !== undefined) return { basis: 'none', sentence: why };
  if (readyAtMs > nowMs) {
    const until = reason === 'BackOff' ? 'the end of its back-off' : 'its begin time';
    return { basis: 'instant', startAtMs: readyAtMs, sentence: `not before ${until}` };
  }
  if (place === undefined) return { basis: 'none', sentence: 'it does not stand in line' };
  if (lately === undefined) {
    return { basis: 'none', sentence: 'only the leader of its shard knows how fast tasks start' };
  }
  const seconds = Math.max(1, Math.round(lately.overMs / 1_000));
  if (lately.starts === 0) {
    const over = lately.overMs < rateWindowMs ? `, as long as it has a leader` : '';
    const none = `no task of its shard has started in the last ${seconds} s${over}`;
    return { basis: 'none', sentence: none };
  }
  const perSecond = lately.starts / seconds;
  return {
    basis: 'rate',
    startAtMs: Math.round(nowMs + (place.position / perSecond) * 1_000),
    sentence:
      `${place.position} in line, and ${lately.starts} of its shard started in the last ` +
      `${seconds} s`,
  };
}
