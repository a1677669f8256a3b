/** Building a replica: its consensus core over the log that the store holds, its machine loaded. */
import type { Random } from '../ports/clock.ts';
import type { Row, Store } from '../ports/store.ts';
import { RaftCore } from '../raft/core.ts';
import type { HardState, Message, ReplicaId } from '../raft/message.ts';
import { productionConfig } from '../raft/production.ts';
import { type Descriptor, noConf } from './descriptor.ts';
import { LogCache, readTermRuns } from './log-cache.ts';
import { type GroupMachine, Replica, type ReplicaEvents } from './replica.ts';

/** What a replica begins from. */
export interface ReplicaSeed {
  readonly group: number;
  readonly descriptor: Descriptor;
  /** With the rows of `applied`. */
  readonly machine: GroupMachine;
  readonly hard: HardState;
  readonly lastIndex: number;
  readonly applied: number;
  readonly appliedTerm: number;
  /** The descriptor is not on the disk yet. */
  readonly fresh: boolean;
}

/** A replica that knows nothing yet: its leader tells it. */
export const emptySeed = (
  group: number,
  replicaId: ReplicaId,
  machine: GroupMachine,
): ReplicaSeed => ({
  group,
  descriptor: { replicaId, confIndex: 0, conf: noConf, members: [] },
  machine,
  hard: { term: 0, vote: 0, commit: 0 },
  lastIndex: 0,
  applied: 0,
  appliedTerm: 0,
  fresh: true,
});

export function makeReplica(
  seed: ReplicaSeed,
  store: Store,
  random: Random,
  events: ReplicaEvents,
): Replica {
  const { group, descriptor, machine, hard, lastIndex, applied, appliedTerm, fresh } = seed;
  const runs = readTermRuns(store, group, lastIndex);
  const log = new LogCache({ group, store, hard, conf: descriptor.conf, lastIndex, runs });
  const core = new RaftCore(
    productionConfig({
      id: descriptor.replicaId,
      storage: log,
      applied,
      rng: () => random.uint32(),
    }),
  );
  return new Replica({
    group,
    core,
    log,
    machine,
    descriptor,
    applied,
    appliedTerm,
    events,
    fresh,
  });
}

/**
 * Whether a message may make a replica where there is none, or replace `present`. Only a leader's
 * append or heartbeat may, to an id above every one that was removed here, and (the caller checks)
 * to exactly this store: ids are never used twice, so that a wiped or restored disk cannot speak
 * under an old one.
 */
export function mayCreate(message: Message, present: ReplicaId, removed: ReplicaId): boolean {
  if (message.type !== 'MsgApp' && message.type !== 'MsgHeartbeat') return false;
  return message.to > present && message.to > removed;
}

const pageRows = 4_096;

/** Every state row of a group, in key order. */
export async function allRows(store: Store, group: number): Promise<Row[]> {
  const rows: Row[] = [];
  const to = new Uint8Array(64).fill(0xff);
  let from: Uint8Array = new Uint8Array(0);
  for (;;) {
    const page = await store.rows(group, { from, to, limit: pageRows });
    for (const row of page) rows.push(row);
    const last = page[page.length - 1];
    if (page.length < pageRows || last === undefined) return rows;
    // The least key above the last one.
    from = new Uint8Array(last[0].length + 1);
    from.set(last[0]);
  }
}
