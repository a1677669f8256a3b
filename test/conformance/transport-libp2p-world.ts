/** A `TestWorld` of real libp2p nodes on loopback, all in this process. */
import { setTimeout as pause } from 'node:timers/promises';
import { createNet } from '../../src/net/create-libp2p.ts';
import { newNetworkKey, newPrivateKey } from '../../src/net/keys.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { TestNode, TestWorld } from './transport.ts';

/** Polls until the condition holds; rejects after `deadlineMs`. */
export async function until(
  what: string,
  condition: () => boolean,
  deadlineMs = 20_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen: ${what}`);
    await pause(5);
  }
}

export interface Libp2pWorld extends TestWorld {
  readonly networkKey: Uint8Array;
}

/** `mayConnect` is shared by all nodes of the world. */
export function libp2pWorld(mayConnect: (peer: string) => boolean = () => true): Libp2pWorld {
  const networkKey = newNetworkKey();
  const stops = new Set<() => Promise<void>>();
  const make = async (privateKey: Uint8Array, listen: string): Promise<TestNode> => {
    const net = await createNet({
      privateKey,
      networkKey,
      listen: [listen],
      log: silentLog,
      mayConnect,
    });
    stops.add(net.stop);
    let address = listen;
    return {
      id: net.transport.self,
      transport: net.transport,
      gossip: net.gossip,
      bulk: net.bulk,
      crash: async () => {
        const [first] = net.transport.addresses();
        if (first !== undefined) address = first.slice(0, first.indexOf('/p2p/'));
        stops.delete(net.stop);
        await net.stop();
      },
      restart: () => make(privateKey, address),
    };
  };
  return {
    networkKey,
    add: async () => make(await newPrivateKey(), '/ip4/127.0.0.1/tcp/0'),
    until,
    close: async () => {
      await Promise.all([...stops].map(stop => stop()));
    },
  };
}
