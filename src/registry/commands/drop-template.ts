/**
 * dropTemplate: a template goes with all its revisions, or one revision that is not the newest.
 * Tasks that were made from it stay as they are. Replies: ok; repeated where there is none;
 * `badRequest` for the newest revision by itself: another would silently take its place.
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

export function applyDropTemplate(
  state: RegistryState,
  { tenant, name, revision }: RegistryCommandOf<'dropTemplate'>,
  effects: RegistryEffect[],
): RegistryReply {
  const { templates } = state;
  const revisions = templates.revisions(tenant, name);
  const newest = revisions.at(-1)?.revision;
  if (newest === undefined) return repeated;
  if (revision === undefined) templates.drop(tenant, name, state.nowMs);
  else {
    if (!revisions.some(known => known.revision === revision)) return repeated;
    if (revision === newest) {
      return refused('badRequest', `${revision} is the newest revision: delete the template`);
    }
    templates.dropRevision(tenant, name, revision);
  }
  effects.push({ kind: 'templatesChanged' });
  return accepted;
}
