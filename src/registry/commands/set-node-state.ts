/**
 * setNodeState: moves a node through its life.
 *
 *   joining ──▶ up ◀──▶ draining          any ──▶ removed (for good)
 *                ▲
 *                └──▶ dead                 also joining, draining ──▶ dead
 *
 * A removed node's free replica ids are dropped and its name may be taken; the record stays, so
 * that the node is told why it may not return. Replies: ok, repeated, `unknownNode`, `badRequest`.
 */
import type { NodeId } from '../../model/ids.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type NodeState,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  registryLimits,
  repeated,
} from '../state.ts';

const next: Record<NodeState, readonly NodeState[]> = {
  joining: ['up', 'draining', 'dead', 'removed'],
  up: ['draining', 'dead', 'removed'],
  draining: ['up', 'dead', 'removed'],
  dead: ['up', 'removed'],
  removed: [],
};

export function applySetNodeState(
  state: RegistryState,
  command: RegistryCommandOf<'setNodeState'>,
  effects: RegistryEffect[],
): RegistryReply {
  const node = state.nodes.get(command.node);
  if (node === undefined) return refused('unknownNode', `no node ${command.node}`);
  if (node.state === command.state) return repeated;
  if (!next[node.state].includes(command.state)) {
    return refused('badRequest', `node ${node.name} is ${node.state}: cannot be ${command.state}`);
  }
  state.setNodeState(node, command.state);
  effects.push({ kind: 'nodeChanged', node: node.id });
  if (command.state === 'removed') forgetReplicas(state, node.id);
  return accepted;
}

/** Drops the free replica ids of a node that was removed; seated ones go when they are replaced. */
export function forgetReplicas(state: RegistryState, node: NodeId): void {
  for (const replica of state.replicasById()) {
    if (replica.node === node && !replica.seated) state.dropReplica(replica.replicaId);
  }
  forgetOldestRemoved(state);
}

/** Keeps the removed nodes bounded: the one removed longest ago goes first. */
function forgetOldestRemoved(state: RegistryState): void {
  const removed = state.nodesById().filter(node => node.state === 'removed');
  if (removed.length <= registryLimits.removedNodesMax) return;
  const oldest = removed.reduce((left, right) => (right.sinceMs < left.sinceMs ? right : left));
  state.dropNode(oldest.id);
}
