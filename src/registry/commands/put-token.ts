/**
 * putToken: adds a bearer token, or replaces the one of the same id. Only its hash is known here.
 * Replies: ok, repeated, `badRequest` (malformed, its hash belongs to another id, too many).
 */
import { wrongToken } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  registryLimits,
  repeated,
  type TokenRecord,
} from '../state.ts';

const sameToken = (left: TokenRecord, right: TokenRecord): boolean =>
  left.id === right.id &&
  left.name === right.name &&
  left.sha256 === right.sha256 &&
  left.role === right.role &&
  left.tenant === right.tenant &&
  left.expiresAtMs === right.expiresAtMs;

export function applyPutToken(
  state: RegistryState,
  { token }: RegistryCommandOf<'putToken'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongToken(token);
  if (wrong !== undefined) return refused('badRequest', wrong);
  const holder = state.tokens.get(token.sha256);
  if (holder !== undefined && holder.id !== token.id) {
    return refused('badRequest', 'this token is on record under another id');
  }
  if (holder !== undefined && sameToken(holder, token)) return repeated;
  const older = [...state.tokens.values()].find(other => other.id === token.id);
  if (older === undefined && state.tokens.size >= registryLimits.tokensMax) {
    return refused('badRequest', `there are ${registryLimits.tokensMax} tokens, the most allowed`);
  }
  if (older !== undefined) state.dropToken(older.sha256);
  state.putToken(token);
  effects.push({ kind: 'tokensChanged' });
  return accepted;
}
