/**
 * Keys of a node and of a cluster. A node is its Ed25519 key: the node id is the libp2p peer id of
 * the public half. The network key is a gate before the handshake, not the source of secrecy.
 */
import { randomBytes } from 'node:crypto';
import { assert } from '../model/assert.ts';
import type { NodeId } from '../model/ids.ts';

export const networkKeyBytes = 32;

/** A fresh Ed25519 key in libp2p's protobuf form, to be kept in a file of mode 0600. */
export async function newPrivateKey(): Promise<Uint8Array> {
  const { generateKeyPair, privateKeyToProtobuf } = await import('@libp2p/crypto/keys');
  return privateKeyToProtobuf(await generateKeyPair('Ed25519'));
}

/** The node id that belongs to a private key. Rejects where the bytes are not such a key. */
export async function nodeIdOf(privateKey: Uint8Array): Promise<NodeId> {
  const { privateKeyFromProtobuf } = await import('@libp2p/crypto/keys');
  const { peerIdFromPrivateKey } = await import('@libp2p/peer-id');
  return peerIdFromPrivateKey(privateKeyFromProtobuf(privateKey)).toString();
}

/** 32 random bytes: the pre-shared key of a cluster's private network. */
export function newNetworkKey(): Uint8Array {
  return new Uint8Array(randomBytes(networkKeyBytes));
}

/** The network key in the swarm-key form that libp2p reads. */
export function swarmKeyOf(networkKey: Uint8Array): Uint8Array {
  assert(networkKey.length === networkKeyBytes, `a network key has ${networkKeyBytes} bytes`);
  const hex = Buffer.from(networkKey).toString('hex');
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${hex}\n`);
}
