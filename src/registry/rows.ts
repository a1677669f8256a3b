/**
 * Rows of the registry: a key is one letter and a name, as UTF-8, so that a dump of the store can
 * be read; a value starts with a version byte. Letters are append-only:
 *
 *   m meta · c cluster · n node · r replica id · g group · s slot table · o setting · t token (by
 *   sha256) · j join secret (by sha256) · d drain of a node · x store that was
 *   replaced · i tier (by name), where something of it was set · p plan · u tenant · l pause of
 *   placement · e template (eh head, er revision) · v reservation (by name)
 *
 * Rows stand for the state at one applied index, which the store keeps beside them.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { slotCount } from '../model/ids.ts';
import { readPairs, writePairs } from '../model/pairs.ts';
import { tiers } from '../model/resources.ts';
import { changeTier, type TierChange, type TierValues, tierFields } from '../model/tiers.ts';
import {
  readRegistration,
  readReservation,
  readSeat,
  readSecret,
  readTenant,
  readTierChanges,
  readToken,
  writeRegistration,
  writeReservation,
  writeSeat,
  writeSecret,
  writeTenant,
  writeTierChanges,
  writeToken,
} from './fields.ts';
import { readPause, writePause } from './pauses.ts';
import { nodeStates, type RegistryState } from './state.ts';

const version = 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Key bytes of the row of that name. */
export const rowKey = (row: string): Uint8Array => encoder.encode(row);

/** Value of a row from the state, or `undefined` where its subject is gone. */
export function encodeRow(state: RegistryState, row: string): Uint8Array | undefined {
  const writer = new ByteWriter(128).u8(version);
  return writeRow(writer, state, row) ? writer.finish() : undefined;
}

function writeRow(writer: ByteWriter, state: RegistryState, row: string): boolean {
  const name = row.slice(1);
  switch (row[0]) {
    case 'm':
      writer.varint(state.nowMs).u32(state.digest).varint(state.replicaCounter);
      return true;
    case 'c': {
      const { cluster } = state;
      if (cluster === undefined) return false;
      writer.text(cluster.id).text(cluster.name).varint(cluster.shards);
      writer.varint(cluster.replication).varint(cluster.createdAtMs).varint(cluster.formatVersion);
      return true;
    }
    case 'n': {
      const node = state.nodes.get(name);
      if (node === undefined) return false;
      writeRegistration(writer, node);
      writer.u8(nodeStates.indexOf(node.state)).varint(node.sinceMs);
      return true;
    }
    case 'r': {
      const replica = state.replicas.get(Number(name));
      if (replica === undefined) return false;
      writer.varint(replica.replicaId).varint(replica.group).text(replica.node);
      writer.text(replica.storeId).varint(replica.confIndex).bool(replica.seated);
      return true;
    }
    case 'g': {
      const group = state.groups.get(Number(name));
      if (group === undefined) return false;
      writer.varint(group.group).varint(group.confIndex);
      writer.list(group.voters, writeSeat).list(group.learners, writeSeat);
      writer.optional(group.leader, (w, node) => w.text(node));
      return true;
    }
    case 's':
      for (const shard of state.slotTable) writer.u16(shard);
      return true;
    default:
      return writeNamedRow(writer, state, row);
  }
}

function writeNamedRow(writer: ByteWriter, state: RegistryState, row: string): boolean {
  const name = row.slice(1);
  switch (row[0]) {
    case 'o': {
      const value = state.settings.get(name);
      if (value === undefined) return false;
      writer.text(value);
      return true;
    }
    case 't': {
      const token = state.tokens.get(name);
      if (token === undefined) return false;
      writeToken(writer, token);
      return true;
    }
    case 'j': {
      const secret = state.joinSecrets.get(name);
      if (secret === undefined) return false;
      writeSecret(writer, secret);
      return true;
    }
    case 'u': {
      const tenant = state.tenants.get(name);
      if (tenant === undefined) return false;
      writeTenant(writer, tenant);
      return true;
    }
    case 'p': {
      const values = state.plans.get(name);
      if (values === undefined) return false;
      writePairs(writer, values);
      return true;
    }
    case 'x': {
      const spentMs = state.spentStores.get(name);
      if (spentMs === undefined) return false;
      writer.varint(spentMs);
      return true;
    }
    case 'd': {
      const drain = state.drains.get(name);
      if (drain === undefined) return false;
      writer.optional(drain.deadlineMs, (w, deadlineMs) => w.varint(deadlineMs));
      return true;
    }
    case 'i': {
      const tier = tiers.find(known => known === name);
      const values = tier && state.tiers.get(tier);
      if (values === undefined) return false;
      writeTierChanges(writer, changesOf(values));
      return true;
    }
    case 'l': {
      const pause = state.pauses.get(name);
      if (pause === undefined) return false;
      writePause(writer, pause);
      return true;
    }
    case 'e':
      return state.templates.writeRow(writer, name);
    case 'v': {
      const reservation = state.reservations.get(name);
      if (reservation === undefined) return false;
      writeReservation(writer, reservation);
      return true;
    }
    default:
      throw new DecodeError(`registry row of an unknown kind: ${row}`);
  }
}

/** What was set, as the changes that set it. */
const changesOf = (values: TierValues): TierChange[] =>
  tierFields
    .map(field => ({ field, value: values[field] }))
    .filter(({ value }) => value !== undefined);

/** Puts a stored row into the state; throws `DecodeError` for one that it cannot read. */
export function loadRow(state: RegistryState, key: Uint8Array, value: Uint8Array): void {
  const row = decoder.decode(key);
  const reader = new ByteReader(value);
  reader.version(version, 'registry row');
  readRow(state, row, reader);
  reader.end('registry row');
}

function readRow(state: RegistryState, row: string, reader: ByteReader): void {
  switch (row[0]) {
    case 'm':
      state.nowMs = reader.varint();
      state.digest = reader.u32();
      state.replicaCounter = reader.varint();
      return;
    case 'c':
      state.cluster = {
        id: reader.text(),
        name: reader.text(),
        shards: reader.varint(),
        replication: reader.varint(),
        createdAtMs: reader.varint(),
        formatVersion: reader.varint(),
      };
      return;
    case 'n': {
      const registration = readRegistration(reader);
      const nodeState = nodeStates[reader.u8()];
      if (nodeState === undefined) throw new DecodeError('unknown node state');
      const node = { ...registration, state: nodeState, sinceMs: reader.varint() };
      state.nodes.set(node.id, node);
      return;
    }
    case 'r': {
      const replica = {
        replicaId: reader.varint(),
        group: reader.varint(),
        node: reader.text(),
        storeId: reader.text(),
        confIndex: reader.varint(),
        seated: reader.bool(),
      };
      state.replicas.set(replica.replicaId, replica);
      return;
    }
    case 'g': {
      const group = {
        group: reader.varint(),
        confIndex: reader.varint(),
        voters: reader.list(readSeat),
        learners: reader.list(readSeat),
        leader: reader.optional(r => r.text()),
      };
      state.groups.set(group.group, group);
      return;
    }
    default:
      readNamedRow(state, row, reader);
  }
}

function readNamedRow(state: RegistryState, row: string, reader: ByteReader): void {
  switch (row[0]) {
    case 's':
      state.slotTable = new Uint16Array(slotCount);
      for (let slot = 0; slot < slotCount; slot++) state.slotTable[slot] = reader.u16();
      return;
    case 'o':
      state.settings.set(row.slice(1), reader.text());
      return;
    case 't': {
      const token = readToken(reader);
      state.tokens.set(token.sha256, token);
      return;
    }
    case 'j': {
      const secret = readSecret(reader);
      state.joinSecrets.set(secret.sha256, secret);
      return;
    }
    case 'u': {
      const tenant = readTenant(reader);
      state.tenants.set(tenant.name, tenant);
      return;
    }
    case 'p':
      state.plans.set(row.slice(1), readPairs(reader));
      return;
    case 'v': {
      const reservation = readReservation(reader);
      state.reservations.set(reservation.name, reservation);
      return;
    }
    case 'x':
      state.spentStores.set(row.slice(1), reader.varint());
      return;
    case 'd':
      state.drains.set(row.slice(1), { deadlineMs: reader.optional(r => r.varint()) });
      return;
    case 'i': {
      const tier = tiers.find(known => known === row.slice(1));
      if (tier === undefined) throw new DecodeError(`unknown tier: ${row}`);
      state.tiers.set(tier, changeTier({}, readTierChanges(reader)));
      return;
    }
    case 'l':
      state.pauses.set(row.slice(1), readPause(reader));
      return;
    case 'e':
      state.templates.readRow(row.slice(1), reader);
      return;
    default:
      throw new DecodeError(`registry row of an unknown kind: ${row}`);
  }
}
