/**
 * What a replica is, as it stands on the disk: its id, the configuration it has applied, and which
 * node and store hold each member. The members travel in the context of configuration changes, so
 * that every replica knows them from its own log.
 */
import { ByteReader, ByteWriter } from '../model/bytes.ts';
import type { NodeId } from '../model/ids.ts';
import { hashText } from '../model/slots.ts';
import type { ConfState, ReplicaId } from '../raft/message.ts';

/** Where a replica of a group lives. */
export interface Member {
  readonly replicaId: number;
  readonly node: NodeId;
  /** The store it was made for: on another disk it does not exist (research: lost disks). */
  readonly storeId: string;
}

export interface Descriptor {
  readonly replicaId: number;
  /** Index of the configuration change that gave `conf`; 0 before the first. */
  readonly confIndex: number;
  readonly conf: ConfState;
  readonly members: readonly Member[];
}

export const noConf: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** Whether a replica has a seat, of whichever kind. */
export const isSeated = (conf: ConfState, id: ReplicaId): boolean =>
  conf.voters.includes(id) ||
  conf.votersOutgoing.includes(id) ||
  conf.learners.includes(id) ||
  conf.learnersNext.includes(id);

/** Whether no other replica has a seat. */
export const isAlone = (conf: ConfState, id: ReplicaId): boolean =>
  [...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext].every(
    seat => seat === id,
  );

const version = 1;

function writeMembers(writer: ByteWriter, members: readonly Member[]): void {
  writer.list(members, (w, member) =>
    w.varint(member.replicaId).text(member.node).text(member.storeId),
  );
}

function readMembers(reader: ByteReader): Member[] {
  return reader.list(r => ({
    replicaId: r.varint(),
    node: r.text(128),
    storeId: r.text(64),
  }));
}

export function encodeMembers(members: readonly Member[]): Uint8Array {
  const writer = new ByteWriter(64).u8(version);
  writeMembers(writer, members);
  return writer.finish();
}

/** Members named by a configuration change; an empty context names none. */
export function decodeMembers(bytes: Uint8Array): Member[] {
  if (bytes.length === 0) return [];
  const reader = new ByteReader(bytes);
  reader.version(version, 'members');
  return readMembers(reader);
}

export function encodeDescriptor(descriptor: Descriptor): Uint8Array {
  const writer = new ByteWriter(128).u8(version);
  writer.varint(descriptor.replicaId).varint(descriptor.confIndex);
  const { conf } = descriptor;
  for (const ids of [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]) {
    writer.list(ids, (w, id) => w.varint(id));
  }
  writer.bool(conf.autoLeave);
  writeMembers(writer, descriptor.members);
  return writer.finish();
}

export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  const reader = new ByteReader(bytes);
  reader.version(version, 'group descriptor');
  const replicaId = reader.varint();
  const confIndex = reader.varint();
  const ids = (): number[] => reader.list(r => r.varint());
  const conf = {
    voters: ids(),
    votersOutgoing: ids(),
    learners: ids(),
    learnersNext: ids(),
    autoLeave: reader.bool(),
  };
  return { replicaId, confIndex, conf, members: readMembers(reader) };
}

/** 32 bits of a store id: carried by every consensus message to the replica it is meant for. */
export const storeMark = (storeId: string): number => hashText(storeId);
