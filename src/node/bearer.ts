/** Bearer tokens: whom one belongs to, by the registry as it is here. */
import type { RegistryMachine } from '../registry/machine.ts';
import type { TokenRecord } from '../registry/state.ts';
import { sha256Hex } from './sha256.ts';

/** A new token: `secret` is drawn at random. */
export const bearerText = (secret: Uint8Array): string =>
  `tsched_${Buffer.from(secret).toString('base64url')}`;

/** The record of a token that is known and has not expired. */
export function bearerOf(
  machine: RegistryMachine,
  token: string,
  wallMs: number,
): TokenRecord | undefined {
  // The hash is looked up, not the token: the time it takes says nothing about other tokens.
  const record = machine.token(sha256Hex(Buffer.from(token)));
  const expiresAtMs = record?.expiresAtMs;
  return expiresAtMs !== undefined && expiresAtMs <= wallMs ? undefined : record;
}
