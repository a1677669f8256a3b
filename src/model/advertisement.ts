/** A node's gossiped resources: a hint, never believed without the node's own word. */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import type { NodeId } from './ids.ts';
import { limits } from './limits.ts';
import { readPairs, writePairs } from './pairs.ts';
import { type Resources, type Tier, tiers } from './resources.ts';
import { readResources, writeResources } from './spec.ts';

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
}

/** Without what later programs brought: written where a node has none of it. */
const plainVersion = 1;
const version = 2;

/** Tags of the fields of version 2: append-only; a retired one stays listed. */
const extra = { shares: 2 } as const;

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

type Extra = readonly [tag: number, write: (body: ByteWriter) => void];

function extrasOf({ shares = [] }: Advertisement): readonly Extra[] {
  return shares.length === 0 ? [] : [[extra.shares, w => w.list(shares, writeShare)]];
}

function readExtras(reader: ByteReader): Pick<Advertisement, 'shares'> {
  let shares: AdvertisedShare[] | undefined;
  reader.list(r => {
    const tag = r.varint();
    const body = new ByteReader(r.bytes(limits.gossipBytesMax));
    if (tag !== extra.shares) throw new DecodeError(`advertisement: unknown field ${tag}`);
    shares = body.list(readShare, limits.reservationsPerNodeMax);
    body.end(`field ${tag} of an advertisement`);
  });
  return { shares };
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
  const tier = tiers[reader.u8()];
  if (tier === undefined) throw new DecodeError('unknown tier');
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
