import { describe, expect, test } from 'vitest';
import {
  networkKeyBytes,
  newNetworkKey,
  newPrivateKey,
  nodeIdOf,
  swarmKeyOf,
} from '../../../src/net/keys.ts';

describe('keys', () => {
  test('a private key always belongs to the same node id, another one to another', async () => {
    const key = await newPrivateKey();
    const id = await nodeIdOf(key);
    expect(id).toMatch(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/);
    expect(await nodeIdOf(key.slice())).toBe(id);
    expect(await nodeIdOf(await newPrivateKey())).not.toBe(id);
  });

  test('bytes that are no key are refused', async () => {
    await expect(nodeIdOf(Uint8Array.of(1, 2, 3))).rejects.toThrow();
    await expect(nodeIdOf(new Uint8Array(0))).rejects.toThrow();
  });

  test('network keys are fresh, of 32 bytes, and of no other length', () => {
    const [one, two] = [newNetworkKey(), newNetworkKey()];
    expect(one.length).toBe(networkKeyBytes);
    expect(Buffer.compare(one, two)).not.toBe(0);
    expect(() => swarmKeyOf(new Uint8Array(31))).toThrow('32 bytes');
    const text = new TextDecoder().decode(swarmKeyOf(new Uint8Array(32).fill(0xab)));
    expect(text).toBe(`/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`);
  });
});
