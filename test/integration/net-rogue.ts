/**
 * A libp2p host that is not ours: it holds the network key (or another one) and does on purpose
 * what tsched never does. Also plain sockets that speak no libp2p at all.
 */
import { connect, type Socket } from 'node:net';
import { type GossipSub, gossipsub, StrictNoSign, StrictSign } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { swarmKeyOf } from '../../src/net/keys.ts';

export interface Rogue {
  readonly host: Libp2p;
  readonly pubsub: GossipSub;
  readonly id: string;
  dial(address: string): ReturnType<Libp2p['dial']>;
  addresses(): string[];
  stop(): Promise<void>;
}

export async function createRogue(options: {
  networkKey: Uint8Array;
  signed?: boolean;
}): Promise<Rogue> {
  const host = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionProtector: preSharedKey({ psk: swarmKeyOf(options.networkKey) }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        allowPublishToZeroTopicPeers: true,
        globalSignaturePolicy: options.signed === false ? StrictNoSign : StrictSign,
        ...(options.signed === false ? { msgIdFn: message => message.data.slice(0, 20) } : {}),
      }),
    },
  });
  return {
    host,
    pubsub: host.services.pubsub,
    id: host.peerId.toString(),
    dial: address => host.dial(multiaddr(address)),
    addresses: () => host.getMultiaddrs().map(String),
    stop: async () => {
      await host.stop();
    },
  };
}

/** A raw TCP connection to a node's first address. */
export async function rawSocket(address: string): Promise<Socket> {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1]);
  const socket = connect(port, '127.0.0.1');
  // Being cut off is what these tests are after. Unread bytes would hold back the end.
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}
