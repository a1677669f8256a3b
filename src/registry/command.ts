/**
 * Every change of the registry, as data: what a log entry of group 0 holds. A command carries its
 * version, its kind, the instant its leader stamped and who asked. Kind numbers are append-only; a
 * replica that meets a kind it does not know stops.
 *
 * Decoding is lenient about sizes and apply is strict: a value over a bound is refused to its
 * sender, and never becomes a log entry that stops every replica.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import type { Actor } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import type { GroupId, NodeId } from '../model/ids.ts';
import { controlKindNumbers } from './command-control.ts';
import {
  numberOf,
  readRegistration,
  readSeat,
  readSecret,
  readToken,
  writeRegistration,
  writeSeat,
  writeSecret,
  writeToken,
} from './fields.ts';
import { type LaterBody, readLaterBody, writeLaterBody } from './later-commands.ts';
import type { KnownStarts } from './starts.ts';
import {
  type JoinSecret,
  type NodeRegistration,
  type NodeState,
  nodeStates,
  type ReplicaSeat,
  type TokenRecord,
} from './state.ts';

interface Stamped {
  /** Wall clock of the registry's leader. */
  readonly atMs: number;
  readonly actor: Actor;
}

export type RegistryCommand = Stamped &
  (
    | {
        /** The first command of a cluster: made by `cluster init`, never repeated. */
        readonly kind: 'bootstrap';
        readonly clusterId: string;
        readonly name: string;
        readonly shards: number;
        readonly replication: number;
        readonly formatVersion: number;
        /** The first node; gets a seat in every group, with `bootstrapReplicaId`. */
        readonly node: NodeRegistration;
        readonly tokens: readonly TokenRecord[];
      }
    | {
        /** A node joins, or its process was started again. */
        readonly kind: 'registerNode';
        readonly node: NodeRegistration;
        /** Hex sha256 of the secret of its join token; needed where the node is not known yet. */
        readonly joinSecret?: string | undefined;
      }
    | { readonly kind: 'setNodeState'; readonly node: NodeId; readonly state: NodeState }
    | {
        /** Asks for a replica id that may be seated in a group, on one store only. */
        readonly kind: 'allocateReplica';
        readonly group: GroupId;
        readonly node: NodeId;
        readonly storeId: string;
        /**
         * Configuration index of the group at the asking leader. Asked again at the same index, the
         * same id is given; an id given at an older one may have come and gone, and is not.
         */
        readonly confIndex: number;
      }
    | {
        /** A group's leader tells where its replicas are. */
        readonly kind: 'reportGroup';
        readonly group: GroupId;
        readonly confIndex: number;
        readonly voters: readonly ReplicaSeat[];
        readonly learners: readonly ReplicaSeat[];
        readonly leader?: NodeId | undefined;
      }
    | { readonly kind: 'putToken'; readonly token: TokenRecord }
    | { readonly kind: 'dropToken'; readonly id: string }
    | { readonly kind: 'putJoinSecret'; readonly secret: JoinSecret }
    | {
        /** Without a value, the setting is forgotten and its default holds. */
        readonly kind: 'setSetting';
        readonly name: string;
        readonly value?: string | undefined;
      }
    | {
        /** Takes everything away from a node before it leaves, or with `on` false stops that. */
        readonly kind: 'drainNode';
        readonly node: NodeId;
        readonly on: boolean;
        /** What still runs there this long after it heard of it is ended; without it, nothing. */
        readonly deadlineMs?: number | undefined;
        /** Also where shards are left with fewer voters than they have. */
        readonly force: boolean;
      }
    | {
        /** A drained or dead node leaves for good. */
        readonly kind: 'removeNode';
        readonly node: NodeId;
        readonly force: boolean;
      }
    | {
        /** As `registerNode`, by a node whose store keeps the ids of its starts. */
        readonly kind: 'registerStart';
        readonly node: NodeRegistration;
        readonly joinSecret?: string | undefined;
        readonly starts: KnownStarts;
      }
    | LaterBody
  );

export type RegistryCommandKind = RegistryCommand['kind'];

export type RegistryCommandOf<K extends RegistryCommandKind> = Extract<
  RegistryCommand,
  { readonly kind: K }
>;

/** The number of each in the log: never changed, never used again. */
const kindNumbers: Readonly<Record<RegistryCommandKind, number>> = {
  bootstrap: 0,
  registerNode: 1,
  setNodeState: 2,
  allocateReplica: 3,
  reportGroup: 4,
  putToken: 5,
  dropToken: 6,
  putJoinSecret: 7,
  setSetting: 8,
  drainNode: 9,
  removeNode: 10,
  registerStart: 11,
  setTier: 12,
  putTenant: 24,
  putPlan: 25,
  ...controlKindNumbers,
  putReservation: 15,
  dropReservation: 16,
};

export const registryCommandKinds = Object.keys(kindNumbers) as RegistryCommandKind[];

const kindsByNumber = new Map(registryCommandKinds.map(kind => [kindNumbers[kind], kind]));

const version = 1;

/** Largest command, so that no list in one is longer than a reader takes. */
const commandBytesMax = 256 * 1024;

/**
 * Bytes of a command for a log entry of group 0. What this returns can be decoded: a word that is
 * not in its set and a command over 256 KiB are a `badRequest`, before they are in a log.
 */
export function encodeRegistryCommand(command: RegistryCommand): Uint8Array {
  const writer = new ByteWriter(256).u8(version);
  writer.u8(kindNumbers[command.kind]);
  writer.varint(command.atMs).text(command.actor.name).text(command.actor.tenant);
  switch (command.kind) {
    case 'bootstrap':
      writer.text(command.clusterId).text(command.name);
      writer.varint(command.shards).varint(command.replication).varint(command.formatVersion);
      writeRegistration(writer, command.node);
      writer.list(command.tokens, writeToken);
      break;
    case 'registerNode':
      writeRegistration(writer, command.node);
      writer.optional(command.joinSecret, (w, hex) => w.text(hex));
      break;
    case 'setNodeState':
      writer.text(command.node).u8(numberOf(nodeStates, command.state, 'node state'));
      break;
    case 'allocateReplica':
      writer.varint(command.group).text(command.node).text(command.storeId);
      writer.varint(command.confIndex);
      break;
    case 'reportGroup':
      writer.varint(command.group).varint(command.confIndex);
      writer.list(command.voters, writeSeat).list(command.learners, writeSeat);
      writer.optional(command.leader, (w, node) => w.text(node));
      break;
    case 'putToken':
      writeToken(writer, command.token);
      break;
    case 'dropToken':
      writer.text(command.id);
      break;
    case 'putJoinSecret':
      writeSecret(writer, command.secret);
      break;
    case 'setSetting':
      writer.text(command.name).optional(command.value, (w, value) => w.text(value));
      break;
    case 'drainNode':
      writer.text(command.node).bool(command.on);
      writer.optional(command.deadlineMs, (w, deadlineMs) => w.varint(deadlineMs));
      writer.bool(command.force);
      break;
    case 'removeNode':
      writer.text(command.node).bool(command.force);
      break;
    case 'registerStart':
      writeRegistration(writer, command.node);
      writer.optional(command.joinSecret, (w, hex) => w.text(hex));
      writer.varint(command.starts.confirmedCount);
      writer.list(command.starts.ids, (w, id) => w.text(id));
      break;
    default:
      writeLaterBody(writer, command);
  }
  if (writer.length > commandBytesMax) {
    throw new TschedError(
      'badRequest',
      `a registry command of ${writer.length} bytes is too large`,
    );
  }
  return writer.finish();
}

/** Throws `DecodeError` for another version, an unknown kind or malformed bytes. */
export function decodeRegistryCommand(bytes: Uint8Array): RegistryCommand {
  const reader = new ByteReader(bytes);
  reader.version(version, 'registry command');
  const kind = kindsByNumber.get(reader.u8());
  const atMs = reader.varint();
  const actor = { name: reader.text(), tenant: reader.text() };
  const command = readBody(reader, kind, { atMs, actor });
  reader.end('registry command');
  return command;
}

const readRegistering = (reader: ByteReader) => ({
  node: readRegistration(reader),
  joinSecret: reader.optional(r => r.text()),
});

function readBody(
  reader: ByteReader,
  kind: RegistryCommandKind | undefined,
  stamp: Stamped,
): RegistryCommand {
  switch (kind) {
    case 'bootstrap':
      return {
        ...stamp,
        kind,
        clusterId: reader.text(),
        name: reader.text(),
        shards: reader.varint(),
        replication: reader.varint(),
        formatVersion: reader.varint(),
        node: readRegistration(reader),
        tokens: reader.list(readToken),
      };
    case 'registerNode':
      return { ...stamp, kind, ...readRegistering(reader) };
    case 'setNodeState': {
      const node = reader.text();
      const state = nodeStates[reader.u8()];
      if (state === undefined) throw new DecodeError('unknown node state');
      return { ...stamp, kind, node, state };
    }
    case 'allocateReplica':
      return {
        ...stamp,
        kind,
        group: reader.varint(),
        node: reader.text(),
        storeId: reader.text(),
        confIndex: reader.varint(),
      };
    case 'reportGroup':
      return {
        ...stamp,
        kind,
        group: reader.varint(),
        confIndex: reader.varint(),
        voters: reader.list(readSeat),
        learners: reader.list(readSeat),
        leader: reader.optional(r => r.text()),
      };
    case 'putToken':
      return { ...stamp, kind, token: readToken(reader) };
    case 'dropToken':
      return { ...stamp, kind, id: reader.text() };
    case 'putJoinSecret':
      return { ...stamp, kind, secret: readSecret(reader) };
    case 'setSetting':
      return {
        ...stamp,
        kind,
        name: reader.text(),
        value: reader.optional(r => r.text()),
      };
    case 'drainNode':
      return {
        ...stamp,
        kind,
        node: reader.text(),
        on: reader.bool(),
        deadlineMs: reader.optional(r => r.varint()),
        force: reader.bool(),
      };
    case 'removeNode':
      return { ...stamp, kind, node: reader.text(), force: reader.bool() };
    case 'registerStart':
      return {
        ...stamp,
        kind,
        ...readRegistering(reader),
        starts: { confirmedCount: reader.varint(), ids: reader.list(r => r.text()) },
      };
    case undefined:
      throw new DecodeError('registry command of an unknown kind: written by a newer version');
    default:
      return { ...stamp, ...readLaterBody(reader, kind) };
  }
}
