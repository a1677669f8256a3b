/**
 * putJoinSecret: nodes that show this secret may join; with `usesLeft` 0 it is withdrawn. Expired
 * and used-up secrets are forgotten here, so that their number stays bounded.
 * Replies: ok, repeated, `badRequest` (malformed, too many).
 */
import { wrongSecret } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  registryLimits,
  repeated,
} from '../state.ts';

export function applyPutJoinSecret(
  state: RegistryState,
  { secret, atMs }: RegistryCommandOf<'putJoinSecret'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongSecret(secret);
  if (wrong !== undefined) return refused('badRequest', wrong);
  const known = state.joinSecrets.get(secret.sha256);
  if (secret.usesLeft === 0) {
    if (known === undefined) return repeated;
    state.dropJoinSecret(secret.sha256);
    effects.push({ kind: 'tokensChanged' });
    return accepted;
  }
  const same = known?.expiresAtMs === secret.expiresAtMs && known?.usesLeft === secret.usesLeft;
  if (known !== undefined && same) return repeated;
  for (const other of [...state.joinSecrets.values()]) {
    const expired = other.expiresAtMs !== undefined && other.expiresAtMs <= atMs;
    if (expired || other.usesLeft === 0) state.dropJoinSecret(other.sha256);
  }
  const present = state.joinSecrets.has(secret.sha256);
  if (!present && state.joinSecrets.size >= registryLimits.joinSecretsMax) {
    return refused(
      'badRequest',
      `there are ${registryLimits.joinSecretsMax} join tokens, the most allowed`,
    );
  }
  state.putJoinSecret(secret);
  effects.push({ kind: 'tokensChanged' });
  return accepted;
}
