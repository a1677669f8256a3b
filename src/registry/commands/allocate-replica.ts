/**
 * allocateReplica: hands out a replica id that was never used before, for one group and one store.
 *
 * Idempotent: asked again at the same configuration index of the group, the free id that was given
 * is given again. At a higher index it is not, because it may have been seated and removed between
 * two reports; a new one is. Replies: ok with `replicaId`, `unknownNode`, `badRequest` (no such
 * group, another store, an older configuration than the one on record).
 */
import type { RegistryCommandOf } from '../command.ts';
import { type RegistryEffect, type RegistryReply, type RegistryState, refused } from '../state.ts';

export function applyAllocateReplica(
  state: RegistryState,
  command: RegistryCommandOf<'allocateReplica'>,
  _effects: RegistryEffect[],
): RegistryReply {
  const { group, storeId, confIndex } = command;
  const node = state.nodes.get(command.node);
  if (node === undefined || node.state === 'removed') {
    return refused('unknownNode', `no node ${command.node}`);
  }
  if (node.storeId !== storeId) {
    return refused('badRequest', `node ${node.name} has another store now`);
  }
  const record = state.groups.get(group);
  if (record === undefined) return refused('badRequest', `no group ${group}`);
  if (confIndex < record.confIndex) {
    return refused('badRequest', `group ${group} has a newer configuration than ${confIndex}`);
  }
  for (const replica of state.replicasById()) {
    if (replica.seated || replica.group !== group || replica.node !== node.id) continue;
    if (replica.confIndex === confIndex && replica.storeId === storeId) {
      return { ok: true, repeated: true, replicaId: replica.replicaId };
    }
    if (replica.confIndex > confIndex) {
      return refused('badRequest', `group ${group} has a newer configuration than ${confIndex}`);
    }
    state.dropReplica(replica.replicaId);
  }
  const replicaId = state.nextReplicaId();
  state.putReplica({ replicaId, group, node: node.id, storeId, confIndex, seated: false });
  return { ok: true, repeated: false, replicaId };
}
