/**
 * Bytes of the parts that commands and rows share: a registration, a seat, a token, a secret. Each
 * belongs to the version byte of the format it stands in; changing one here means a new version of
 * both.
 */
import { type ByteReader, type ByteWriter, DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import { readPairs, writePairs } from '../model/pairs.ts';
import type { ReservationAsk } from '../model/reservation.ts';
import { tiers } from '../model/resources.ts';
import { roles } from '../model/role.ts';
import { readResources, writeResources } from '../model/spec.ts';
import { type TierChange, tierFields } from '../model/tiers.ts';
import type {
  JoinSecret,
  NodeRegistration,
  ReplicaSeat,
  ReservationRecord,
  TenantRecord,
  TokenRecord,
} from './state.ts';

/**
 * The number of a word of a closed set. What is proposed may come from another node's request: a
 * word that is not in the set is refused here, because in the log it would stop every replica.
 */
export function numberOf<T>(set: readonly T[], word: T, what: string): number {
  const position = set.indexOf(word);
  if (position < 0) throw new TschedError('badRequest', `unknown ${what}: ${String(word)}`);
  return position;
}

export function writeRegistration(writer: ByteWriter, node: NodeRegistration): void {
  writer.text(node.id).text(node.name).text(node.storeId);
  writer.varint(node.bootCount).text(node.bootId);
  writer.list(node.addresses, (w, address) => w.text(address)).text(node.httpAddress);
  writer.u8(numberOf(tiers, node.tier, 'tier'));
  writeResources(writer, node.total);
  writePairs(writer, node.labels);
  writer.text(node.zone).varint(node.weight).text(node.version);
}

/** Throws `DecodeError` for an unknown tier or malformed bytes. */
export function readRegistration(reader: ByteReader): NodeRegistration {
  const id = reader.text();
  const name = reader.text();
  const storeId = reader.text();
  const bootCount = reader.varint();
  const bootId = reader.text();
  const addresses = reader.list(r => r.text());
  const httpAddress = reader.text();
  const tier = tiers[reader.u8()];
  if (tier === undefined) throw new DecodeError('unknown tier');
  return {
    id,
    name,
    storeId,
    bootCount,
    bootId,
    addresses,
    httpAddress,
    tier,
    total: readResources(reader),
    labels: reader.list((r): [string, string] => [r.text(), r.text()]),
    zone: reader.text(),
    weight: reader.varint(),
    version: reader.text(),
  };
}

export function writeSeat(writer: ByteWriter, seat: ReplicaSeat): void {
  writer.varint(seat.replicaId).text(seat.node);
}

export function readSeat(reader: ByteReader): ReplicaSeat {
  return { replicaId: reader.varint(), node: reader.text() };
}

export function writeToken(writer: ByteWriter, token: TokenRecord): void {
  writer.text(token.id).text(token.name).text(token.sha256);
  writer.u8(numberOf(roles, token.role, 'role')).text(token.tenant);
  writer.optional(token.expiresAtMs, (w, at) => w.varint(at));
}

/** Throws `DecodeError` for an unknown role or malformed bytes. */
export function readToken(reader: ByteReader): TokenRecord {
  const id = reader.text();
  const name = reader.text();
  const sha256 = reader.text();
  const role = roles[reader.u8()];
  if (role === undefined) throw new DecodeError('unknown role');
  const tenant = reader.text();
  const expiresAtMs = reader.optional(r => r.varint());
  return { id, name, sha256, role, tenant, expiresAtMs };
}

export function writeTenant(writer: ByteWriter, tenant: TenantRecord): void {
  writer.text(tenant.name).text(tenant.plan).varint(tenant.createdAtMs);
}

export function readTenant(reader: ByteReader): TenantRecord {
  return { name: reader.text(), plan: reader.text(), createdAtMs: reader.varint() };
}

export function writeTierChanges(writer: ByteWriter, changes: readonly TierChange[]): void {
  writer.list(changes, (w, { field, value }) => {
    w.u8(numberOf(tierFields, field, 'field of a tier'));
    w.optional(value, (v, amount) => v.varint(amount));
  });
}

/** Throws `DecodeError` for a field that only a newer program knows. */
export function readTierChanges(reader: ByteReader): TierChange[] {
  return reader.list(r => {
    const field = tierFields[r.u8()];
    if (field === undefined) throw new DecodeError('unknown field of a tier');
    return { field, value: r.optional(v => v.varint()) };
  });
}

export function writeReservation(writer: ByteWriter, reservation: ReservationRecord): void {
  writer.text(reservation.name).text(reservation.tenant).text(reservation.by);
  writer.varint(reservation.createdAtMs).varint(reservation.untilMs);
  writeResources(writer, reservation.amount);
  writer.list(reservation.nodes, (w, node) => w.text(node));
}

export const readReservation = (reader: ByteReader): ReservationRecord => ({
  name: reader.text(),
  tenant: reader.text(),
  by: reader.text(),
  createdAtMs: reader.varint(),
  untilMs: reader.varint(),
  amount: readResources(reader),
  nodes: reader.list(r => r.text()),
});

export function writeAsk(writer: ByteWriter, ask: ReservationAsk): void {
  writer.text(ask.name).text(ask.tenant);
  writeResources(writer, ask.amount);
  writer
    .varint(ask.untilMs)
    .list(ask.nodes, (w, node) => w.text(node))
    .varint(ask.count);
  writer.u8(numberOf(tiers, ask.tier, 'tier'));
  writePairs(writer, ask.require);
}

/** Throws `DecodeError` for an unknown tier or malformed bytes. */
export function readAsk(reader: ByteReader): ReservationAsk {
  const name = reader.text();
  const tenant = reader.text();
  const amount = readResources(reader);
  const untilMs = reader.varint();
  const nodes = reader.list(r => r.text());
  const count = reader.varint();
  const tier = tiers[reader.u8()];
  if (tier === undefined) throw new DecodeError('unknown tier');
  return { name, tenant, amount, untilMs, nodes, count, tier, require: readPairs(reader) };
}

export function writeSecret(writer: ByteWriter, secret: JoinSecret): void {
  writer.text(secret.sha256);
  writer.optional(secret.expiresAtMs, (w, at) => w.varint(at));
  writer.optional(secret.usesLeft, (w, count) => w.varint(count));
}

export function readSecret(reader: ByteReader): JoinSecret {
  return {
    sha256: reader.text(),
    expiresAtMs: reader.optional(r => r.varint()),
    usesLeft: reader.optional(r => r.varint()),
  };
}
