/** A node's gossiped resources: a hint, never believed without the node's own word. */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import type { NodeId } from './ids.ts';
import { limits } from './limits.ts';
import { readPairs, writePairs } from './pairs.ts';
import { type Resources, type Tier, tiers } from './resources.ts';
import { readResources, writeResources } from './spec.ts';

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
  /** Total less what is allocated to attempts that run or are queued here. */
  readonly free: Resources;
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

const version = 1;

export function encodeAdvertisement(advertisement: Advertisement): Uint8Array {
  const writer = new ByteWriter(256).u8(version);
  writer.text(advertisement.node).text(advertisement.name);
  writer.varint(advertisement.boot).varint(advertisement.sequence).text(advertisement.incarnation);
  writer.u8(tiers.indexOf(advertisement.tier));
  writeResources(writer, advertisement.total);
  writeResources(writer, advertisement.free);
  writePairs(writer, advertisement.labels);
  writer.varint(advertisement.running).varint(advertisement.queued).varint(advertisement.queueRoom);
  writer.list(advertisement.leads, (w, shard) => w.varint(shard)).bool(advertisement.draining);
  writer.text(advertisement.httpAddress).varint(advertisement.registryIndex);
  return writer.finish();
}

/** Throws `DecodeError` for anything malformed, over a bound or of another version. */
export function decodeAdvertisement(bytes: Uint8Array): Advertisement {
  if (bytes.length > limits.gossipBytesMax) throw new DecodeError('advertisement too large');
  const reader = new ByteReader(bytes);
  reader.version(version, 'advertisement');
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
  };
  reader.end('advertisement');
  if (advertisement.labels.length > limits.labelsMax) throw new DecodeError('too many labels');
  return advertisement;
}
