/** A node's gossiped resources: a hint, never believed without the node's own word. */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import type { NodeId } from './ids.ts';
import { limits } from './limits.ts';
import { readPairs, writePairs } from './pairs.ts';
import { type Resources, type Tier, tiers } from './resources.ts';
import { readResources, writeResources } from './spec.ts';

/** Room that is kept on a node for a task that waits for it, against those that come after it. */
export interface Claim {
  readonly node: NodeId;
  readonly request: Resources;
  readonly tenant: string;
  readonly urgent: boolean;
  readonly boundMs: number;
}

/** A task that waits with a leader, as far as the others have to know to plan for it too. */
export interface WaitingHead {
  readonly tenant: string;
  readonly tier: Tier;
  readonly request: Resources;
  readonly boundMs: number;
}

/** The ready tasks of the shards that a node leads. */
export interface AdvertisedDemand {
  /** Close to their start bound; of very many, those that the planner looks at. */
  readonly urgent: number;
  readonly others: number;
  /** The earliest start bound of all. */
  readonly boundMs?: number | undefined;
  /** Room that the other leaders are to leave to them. */
  readonly claims: readonly Claim[];
  /** The first of those that the last plan did not place, in its order; missing for none. */
  readonly heads?: readonly WaitingHead[] | undefined;
}

/** What the tasks of a tenant hold in the shards that a node leads, wherever they run. */
export interface AdvertisedTenant {
  readonly tenant: string;
  readonly held: Resources;
}

/** What a node keeps for one reservation. */
export interface AdvertisedShare {
  readonly name: string;
  readonly tenant: string;
  /** Taken by attempts that name it. */
  readonly used: Resources;
  /** What another attempt may take of it now. */
  readonly left: Resources;
}

export interface Advertisement {
  readonly node: NodeId;
  /** Name that people know the node by. */
  readonly name: string;
  /** Grows with every advertisement of one process; `boot` grows with every process. */
  readonly boot: number;
  readonly sequence: number;
  /** Incarnation of the supervisor; empty while there is none, and then nothing is placed there. */
  readonly incarnation: string;
  readonly tier: Tier;
  readonly total: Resources;
  /** Total less what is allocated to attempts that run or are queued here, or kept for others. */
  readonly free: Resources;
  /** What it keeps for reservations is not free; missing where there are none. */
  readonly shares?: readonly AdvertisedShare[] | undefined;
  readonly labels: readonly (readonly [string, string])[];
  readonly running: number;
  readonly queued: number;
  /** Attempts that may still be queued beyond the free resources. */
  readonly queueRoom: number;
  /** Shards this node leads. */
  readonly leads: readonly number[];
  readonly draining: boolean;
  readonly httpAddress: string;
  /** Version of the registry this node has applied. */
  readonly registryIndex: number;
  /** Told from cluster version 3 on. */
  readonly demand?: AdvertisedDemand | undefined;
  /** Missing where none hold anything. Told from cluster version 3 on. */
  readonly tenants?: readonly AdvertisedTenant[] | undefined;
}

/** Without what later programs brought: written where a node has none of it. */
const plainVersion = 1;
const version = 2;

/** Tags of the fields of version 2: append-only; a retired one stays listed. */
const extra = { demand: 1, shares: 2, tenants: 3, heads: 4 } as const;

function writeDemand(writer: ByteWriter, demand: AdvertisedDemand): void {
  writer.varint(demand.urgent).varint(demand.others);
  writer.optional(demand.boundMs, (w, boundMs) => w.varint(boundMs));
  let before = '';
  writer.list(demand.claims, (w, { node, request, tenant, urgent, boundMs }) => {
    writeResources(w.text(node), request);
    // Nothing for the tenant of the claim before it: those of a gang are many.
    w.text(tenant === before ? '' : tenant);
    before = tenant;
    w.bool(urgent).varint(boundMs);
  });
}

function readClaims(reader: ByteReader): Claim[] {
  let tenant = '';
  return reader.list(r => {
    const node = r.text(128);
    const request = readResources(r);
    const name = r.text(limits.nameBytesMax);
    if (name !== '') tenant = name;
    return { node, request, tenant, urgent: r.bool(), boundMs: r.varint() };
  }, limits.claimedNodesMax);
}

const readDemand = (reader: ByteReader): AdvertisedDemand => ({
  urgent: reader.varint(),
  others: reader.varint(),
  boundMs: reader.optional(r => r.varint()),
  claims: readClaims(reader),
});

function writeShare(writer: ByteWriter, share: AdvertisedShare): void {
  writer.text(share.name).text(share.tenant);
  writeResources(writer, share.used);
  writeResources(writer, share.left);
}

const readShare = (reader: ByteReader): AdvertisedShare => ({
  name: reader.text(limits.nameBytesMax),
  tenant: reader.text(limits.nameBytesMax),
  used: readResources(reader),
  left: readResources(reader),
});

function writeTenant(writer: ByteWriter, { tenant, held }: AdvertisedTenant): void {
  writeResources(writer.text(tenant), held);
}

const readTenant = (reader: ByteReader): AdvertisedTenant => ({
  tenant: reader.text(limits.nameBytesMax),
  held: readResources(reader),
});

function writeHead(writer: ByteWriter, { tenant, tier, request, boundMs }: WaitingHead): void {
  writer.text(tenant).u8(tiers.indexOf(tier));
  writeResources(writer, request);
  writer.varint(boundMs);
}

const readHead = (reader: ByteReader): WaitingHead => ({
  tenant: reader.text(limits.nameBytesMax),
  tier: readTier(reader),
  request: readResources(reader),
  boundMs: reader.varint(),
});

function readTier(reader: ByteReader): Tier {
  const tier = tiers[reader.u8()];
  if (tier === undefined) throw new DecodeError('unknown tier');
  return tier;
}

type Extra = readonly [tag: number, write: (body: ByteWriter) => void];

function extrasOf({ demand, shares = [], tenants = [] }: Advertisement): readonly Extra[] {
  const extras: Extra[] = [];
  if (demand !== undefined) extras.push([extra.demand, w => writeDemand(w, demand)]);
  if (shares.length > 0) extras.push([extra.shares, w => w.list(shares, writeShare)]);
  const heads = demand?.heads ?? [];
  if (heads.length > 0) extras.push([extra.heads, w => w.list(heads, writeHead)]);
  if (tenants.length > 0) extras.push([extra.tenants, w => w.list(tenants, writeTenant)]);
  return extras;
}

interface Extras {
  demand?: AdvertisedDemand;
  shares?: readonly AdvertisedShare[];
  tenants?: readonly AdvertisedTenant[];
}

function readExtras(reader: ByteReader): Extras {
  const extras: Extras = {};
  reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes(limits.gossipBytesMax));
    switch (tag) {
      case extra.demand:
        extras.demand = readDemand(body);
        break;
      case extra.shares:
        extras.shares = body.list(readShare, limits.reservationsPerNodeMax);
        break;
      case extra.tenants:
        extras.tenants = body.list(readTenant, limits.advertisedTenantsMax);
        break;
      case extra.heads: {
        const heads = body.list(readHead, limits.headsMax);
        if (extras.demand === undefined) throw new DecodeError('heads come behind a demand');
        extras.demand = { ...extras.demand, heads };
        break;
      }
      default:
        throw new DecodeError(`advertisement: unknown field ${tag}`);
    }
    body.end(`field ${tag} of an advertisement`);
  });
  return extras;
}

export function encodeAdvertisement(advertisement: Advertisement): Uint8Array {
  const extras = extrasOf(advertisement);
  const writer = new ByteWriter(256).u8(extras.length === 0 ? plainVersion : version);
  writer.text(advertisement.node).text(advertisement.name);
  writer.varint(advertisement.boot).varint(advertisement.sequence).text(advertisement.incarnation);
  writer.u8(tiers.indexOf(advertisement.tier));
  writeResources(writer, advertisement.total);
  writeResources(writer, advertisement.free);
  writePairs(writer, advertisement.labels);
  writer.varint(advertisement.running).varint(advertisement.queued).varint(advertisement.queueRoom);
  writer.list(advertisement.leads, (w, shard) => w.varint(shard)).bool(advertisement.draining);
  writer.text(advertisement.httpAddress).varint(advertisement.registryIndex);
  if (extras.length > 0) writer.list(extras, (w, [tag, write]) => w.varint(tag).nested(write));
  return writer.finish();
}

/** Throws `DecodeError` for anything malformed, over a bound or of another version. */
export function decodeAdvertisement(bytes: Uint8Array): Advertisement {
  if (bytes.length > limits.gossipBytesMax) throw new DecodeError('advertisement too large');
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found !== plainVersion && found !== version) {
    throw new DecodeError(`advertisement: version ${found}, this program reads ${version}`);
  }
  const node = reader.text(128);
  const name = reader.text(limits.nameBytesMax);
  const boot = reader.varint();
  const sequence = reader.varint();
  const incarnation = reader.text(64);
  const tier = readTier(reader);
  const advertisement = {
    node,
    name,
    boot,
    sequence,
    incarnation,
    tier,
    total: readResources(reader),
    free: readResources(reader),
    labels: readPairs(reader),
    running: reader.varint(),
    queued: reader.varint(),
    queueRoom: reader.varint(),
    leads: reader.list(r => r.varint(), limits.shardsMax),
    draining: reader.bool(),
    httpAddress: reader.text(256),
    registryIndex: reader.varint(),
    ...(found === plainVersion ? {} : readExtras(reader)),
  };
  reader.end('advertisement');
  if (advertisement.labels.length > limits.labelsMax) throw new DecodeError('too many labels');
  return advertisement;
}
