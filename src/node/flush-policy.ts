/** When the state of a group that is behind its log is written (DESIGN 6). */
import { limits } from '../model/limits.ts';
import type { Replica } from './replica.ts';

/** A row that became dirty is on the disk at most this much later; many changes cost one write. */
const flushEveryMs = 2_000;

export function isFlushDue(replica: Replica, nowMs: number): boolean {
  const { dirtySinceMs, machine } = replica;
  if (dirtySinceMs === 0) return false;
  return (
    nowMs - dirtySinceMs >= flushEveryMs ||
    machine.dirtyRows >= limits.dirtyRowsMax / 2 ||
    machine.dirtyBytes >= limits.dirtyBytesMax / 2
  );
}

/** Takes the state of a replica into the next batch where that is due. */
export function considerFlush(replica: Replica, nowMs: number): void {
  if (replica.machine.dirtyRows === 0) return;
  if (replica.dirtySinceMs === 0) replica.dirtySinceMs = nowMs;
  if (isFlushDue(replica, nowMs)) replica.flush();
}
