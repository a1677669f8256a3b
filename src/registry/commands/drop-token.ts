/**
 * dropToken: a bearer token is no longer valid. Replies: ok; repeated where there is none of that
 * id; `forbidden` for the last admin token, after which nobody could make another.
 */
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

export function applyDropToken(
  state: RegistryState,
  { id }: RegistryCommandOf<'dropToken'>,
  effects: RegistryEffect[],
): RegistryReply {
  const tokens = [...state.tokens.values()];
  const token = tokens.find(other => other.id === id);
  if (token === undefined) return repeated;
  const admins = tokens.filter(other => other.role === 'admin' && other.expiresAtMs === undefined);
  if (admins.length === 1 && admins[0] === token) {
    return refused('forbidden', 'this is the last admin token that does not expire');
  }
  state.dropToken(token.sha256);
  effects.push({ kind: 'tokensChanged' });
  return accepted;
}
