/** Building a replica: its consensus core over the log that the store holds, its machine loaded. */

import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import { LogOutline } from '../model/log-outline.ts';
import type { Random } from '../ports/clock.ts';
import type { GroupImage, Store } from '../ports/store.ts';
import { RaftCore } from '../raft/core.ts';
import type { HardState, Message, ReplicaId } from '../raft/message.ts';
import { productionConfig } from '../raft/production.ts';
import { type Descriptor, decodeDescriptor, noConf } from './descriptor.ts';
import type { GroupMachine } from './group-machine.ts';
import { loadMachine } from './load-machine.ts';
import { LogCache, type StoredLog } from './log-cache.ts';
import { Replica, type ReplicaEvents } from './replica.ts';

/** What a replica begins from. */
export interface ReplicaSeed extends StoredLog {
  readonly group: number;
  readonly descriptor: Descriptor;
  /** With the rows of `applied`. */
  readonly machine: GroupMachine;
  readonly hard: HardState;
  readonly applied: number;
  readonly appliedTerm: number;
  /** The descriptor is not on the disk yet. */
  readonly fresh: boolean;
}

/**
 * What the store holds of a group, its rows loaded into `machine`. Throws `programTooOld` where a
 * row cannot be read: its checksum is right, so that a newer program wrote it.
 */
export async function storedSeed(
  store: Store,
  image: GroupImage,
  machine: GroupMachine,
): Promise<ReplicaSeed> {
  try {
    await loadMachine(machine, store.readGroup(image.group), image.applied);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new TschedError(
      'programTooOld',
      `a row of group ${image.group} cannot be read by this program: ${error.message}`,
      {},
      error,
    );
  }
  return { ...image, descriptor: decodeDescriptor(image.descriptor), machine, fresh: false };
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
  firstIndex: 1,
  lastIndex: 0,
  truncatedTerm: 0,
  outline: new LogOutline(),
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
  const { group, descriptor, machine, hard, applied, appliedTerm, fresh } = seed;
  const log = new LogCache({ group, store, hard, conf: descriptor.conf, stored: seed });
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

/**
 * Whether what `node` sends as replica `id` of the group is its word: a replica lives on one node
 * for ever. One that is not known yet is learnt.
 */
export function speaksAs(replica: Replica, node: NodeId, id: ReplicaId): boolean {
  const sender = replica.member(id);
  if (sender === undefined) replica.learnMember({ replicaId: id, node, storeId: '' });
  return sender === undefined || sender.node === node;
}
