/** Who takes what the peers of a node send. */
import type { Log } from '../ports/log.ts';
import type { DriveLoop } from './drive-loop.ts';
import type { PeerSink } from './peers.ts';
import type { Scheduler } from './scheduler.ts';
import type { WorkerWire } from './worker-wire.ts';

export function peerHandlers(parts: {
  readonly log: Log;
  readonly loop: DriveLoop;
  readonly wire: WorkerWire;
  readonly scheduler: Scheduler;
  /** Whether the replica of this group may speak. */
  readonly hears: (group: number) => boolean;
}): PeerSink {
  const { log, loop, wire, scheduler } = parts;
  return {
    raft: (from, group, toStore, message) => {
      if (parts.hears(group)) loop.receive(from, group, toStore, message);
    },
    toWorker: (from, bytes) => wire.onToWorker(from, bytes),
    fromWorker: (from, bytes) => wire.onFromWorker(from, bytes),
    advert: (from, bytes) => void scheduler.advertised(from, bytes),
    up: peer => log.info('connected', { peer }),
    down: (peer, refused) => {
      log.info('connection closed', { peer, refused });
      loop.peerDown(peer, refused);
    },
  };
}
