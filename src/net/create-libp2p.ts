/**
 * The only file that configures libp2p. Its defaults suit the public internet; a private cluster
 * needs others, each measured: see the comments. No DHT, relay, NAT or peer discovery.
 */
import type { Libp2pOptions } from 'libp2p';
import type { NodeId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { BulkTransport } from '../ports/bulk.ts';
import type { Log } from '../ports/log.ts';
import type { Gossip, Transport } from '../ports/transport.ts';
import { swarmKeyOf } from './keys.ts';
import { Libp2pBulk } from './libp2p-bulk.ts';
import { Libp2pGossip } from './libp2p-gossip.ts';
import { Libp2pTransport } from './libp2p-transport.ts';
import { advertTopic, timing } from './protocols.ts';
import { silentLogger } from './silent-logger.ts';

export interface NetOptions {
  /** The node's key in libp2p's protobuf form, see `newPrivateKey`. */
  readonly privateKey: Uint8Array;
  /** The cluster's pre-shared key, 32 bytes. */
  readonly networkKey: Uint8Array;
  /** Multiaddresses to listen on, such as `/ip4/0.0.0.0/tcp/4100`. */
  readonly listen: readonly string[];
  readonly log: Log;
  /** Asked for every connection, stream and gossip message; the answer may change over time. */
  mayConnect(peer: NodeId): boolean;
  /** How long a connected peer may be without gossip before it is hung up on; default 10 s. */
  readonly gossipPatienceMs?: number | undefined;
}

export interface Net {
  readonly transport: Transport;
  readonly gossip: Gossip;
  readonly bulk: BulkTransport;
  /** Stops all of them. */
  stop(): Promise<void>;
}

type Gater = NonNullable<Libp2pOptions['connectionGater']>;

/** Turns strangers away as soon as Noise has proven who they are, and counts them. */
function createGater(mayConnect: (peer: NodeId) => boolean): {
  gater: Gater;
  counters: { inbound: number; strangers: number; badHandshakes: number };
} {
  const counters = { inbound: 0, strangers: 0, badHandshakes: 0 };
  const known = new WeakSet<object>();
  const gater: Gater = {
    denyInboundConnection: connection => {
      counters.inbound++;
      connection.addEventListener(
        'close',
        () => {
          if (!known.has(connection)) counters.badHandshakes++;
        },
        { once: true },
      );
      return false;
    },
    denyInboundEncryptedConnection: (peer, connection) => {
      known.add(connection);
      if (mayConnect(peer.toString())) return false;
      counters.strangers++;
      return true;
    },
    denyDialPeer: peer => !mayConnect(peer.toString()),
    denyOutboundEncryptedConnection: peer => !mayConnect(peer.toString()),
    // The default refuses private addresses in browsers; a cluster lives on them.
    denyDialMultiaddr: () => false,
  };
  return { gater, counters };
}

type GossipModule = typeof import('@libp2p/gossipsub');

function gossipOptions(
  module: GossipModule,
  onMessage: (signed: boolean) => void,
): Parameters<GossipModule['gossipsub']>[0] {
  return {
    globalSignaturePolicy: module.StrictSign,
    emitSelf: false,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // Own messages go straight to every peer, so that 2 to 5 nodes do not depend on their mesh.
    floodPublish: true,
    batchPublish: true,
    doPX: false,
    D: 4,
    Dlo: 2,
    Dhi: 8,
    Dscore: 2,
    Dout: 1,
    Dlazy: 4,
    // Adverts are stale after seconds: no use in keeping two minutes of them.
    seenTTL: 30_000,
    idontwantMinDataSize: 256,
    allowedTopics: [advertTopic],
    maxTopicBytesPerPeer: 64 * 1024,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    // Unbounded, this buffer is what a peer that does not read costs us.
    maxOutboundBufferSize: 4 * 1024 * 1024,
    // maxInboundDataLength stays unset: with it one oversized message ends the stream for good.
    // Known messages are told by author and number before their signature is checked. A forged
    // pair cannot block the true one: the pair is remembered only after its signature held.
    fastMsgIdFn: message => {
      onMessage(message.signature !== undefined && message.from !== undefined);
      const from = Buffer.from(message.from ?? []).toString('latin1');
      return `${from}:${Buffer.from(message.seqno ?? []).toString('latin1')}`;
    },
    // Scoring is for strangers; here it only costs, and it punishes peers that share an address.
    scoreParams: {
      IPColocationFactorWeight: 0,
      behaviourPenaltyWeight: 0,
      appSpecificWeight: 0,
      decayInterval: 60_000,
    },
  };
}

/** Connections are few, long-lived and between known nodes; giving up early is cheap. */
const connectionLimits = {
  maxConnections: 2 * limits.nodesMax + 50,
  // Default 5 a second and address: of 25 nodes that start at once behind one, 5 get in.
  inboundConnectionThreshold: 100,
  maxIncomingPendingConnections: 50,
  inboundUpgradeTimeout: 5_000,
  dialTimeout: timing.dialMs,
  addressDialTimeout: timing.addressDialMs,
  outboundStreamProtocolNegotiationTimeout: 5_000,
  inboundStreamProtocolNegotiationTimeout: 5_000,
  connectionCloseTimeout: 500,
  reconnectRetries: 0,
};

/**
 * Makes what a node speaks to others with. Nothing listens before `transport.start`. Rejects on a
 * key that cannot be read; `transport.start` rejects where no address can be listened on.
 */
export async function createNet(options: NetOptions): Promise<Net> {
  const [
    { createLibp2p },
    { tcp },
    { noise },
    { guardedYamux },
    { preSharedKey },
    { identify },
    pubsub,
    { privateKeyFromProtobuf },
    { multiaddr },
  ] = await Promise.all([
    import('libp2p'),
    import('@libp2p/tcp'),
    import('@libp2p/noise'),
    import('./guarded-yamux.ts'),
    import('@libp2p/pnet'),
    import('@libp2p/identify'),
    import('@libp2p/gossipsub'),
    import('@libp2p/crypto/keys'),
    import('@multiformats/multiaddr'),
  ]);
  const { gater, counters } = createGater(options.mayConnect);
  const heard = { received: 0, unsigned: 0 };
  const host = await createLibp2p({
    start: false,
    privateKey: privateKeyFromProtobuf(options.privateKey),
    addresses: { listen: [...options.listen] },
    logger: silentLogger,
    nodeInfo: { name: 'tsched', userAgent: 'tsched' },
    transports: [
      tcp({
        dialOpts: { noDelay: true },
        listenOpts: { noDelay: true },
        backlog: 1_024,
        inboundSocketInactivityTimeout: 30_000,
        outboundSocketInactivityTimeout: 30_000,
      }),
    ],
    connectionProtector: preSharedKey({ psk: swarmKeyOf(options.networkKey) }),
    connectionEncrypters: [noise()],
    streamMuxers: [guardedYamux({ maxInboundStreams: 100, maxOutboundStreams: 100 })],
    connectionGater: gater,
    connectionManager: connectionLimits,
    // Off: it opens a stream per connection and second, and judges a link that is merely busy as
    // dead. The transport's keep-alive frames notice silence sooner and cost four bytes.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      pubsub: pubsub.gossipsub(
        gossipOptions(pubsub, signed => {
          heard.received++;
          if (!signed) heard.unsigned++;
        }),
      ),
    },
  });
  const transport = new Libp2pTransport(host, {
    log: options.log,
    mayConnect: options.mayConnect,
    parseAddress: multiaddr,
    hostCounters: () => counters,
  });
  const gossip = new Libp2pGossip(host, host.services.pubsub, {
    log: options.log,
    mayConnect: options.mayConnect,
    verdicts: pubsub.TopicValidatorResult,
    patienceMs: options.gossipPatienceMs ?? timing.gossipPatienceMs,
    hostCounters: () => heard,
  });
  const bulk = new Libp2pBulk(host, { log: options.log, mayConnect: options.mayConnect });
  return {
    transport,
    gossip,
    bulk,
    stop: async () => {
      await bulk.stop();
      await gossip.stop();
      await transport.stop();
    },
  };
}
