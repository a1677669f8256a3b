/**
 * removeNode: a node leaves for good. It has to be dead, or drained: draining, and without a seat
 * in any shard and without a vote in the registry. Its record stays, so that it is told why it may
 * not return, its name may be taken and its replica ids are never used again.
 *
 * The seats of a dead node are replaced afterwards; where there is nobody to replace them by,
 * shards are left with fewer voters, which `force` allows.
 *
 * Replies: ok, repeated, `unknownNode`, `notDrained`, `tooFewNodes`.
 */
import { type GroupId, type NodeId, registryGroup } from '../../model/ids.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';
import { objectionTo, rangesOf } from './capacity.ts';
import { forgetReplicas } from './set-node-state.ts';

export function applyRemoveNode(
  state: RegistryState,
  command: RegistryCommandOf<'removeNode'>,
  effects: RegistryEffect[],
): RegistryReply {
  const node = state.nodes.get(command.node);
  if (node === undefined) return refused('unknownNode', `no node ${command.node}`);
  if (node.state === 'removed') return repeated;
  if (node.state !== 'dead' && node.state !== 'draining') {
    return refused('notDrained', `node ${node.name} is ${node.state}, neither drained nor dead`);
  }
  const seats = seatsOf(state, node.id);
  if (node.state === 'draining' && seats.length > 0) {
    const shards = seats.filter(group => group !== registryGroup);
    const what = shards.length === 0 ? 'the registry' : `shards ${rangesOf(shards)}`;
    return refused('notDrained', `node ${node.name} still holds replicas of ${what}`);
  }
  if (node.state === 'dead' && seats.length > 0) {
    const objection = objectionTo(state, node, command.force);
    if (objection !== undefined) return refused('tooFewNodes', objection);
  }
  state.setNodeState(node, 'removed');
  forgetReplicas(state, node.id);
  effects.push({ kind: 'nodeChanged', node: node.id });
  return accepted;
}

/** Groups that count on a node. Everybody follows the registry; only a vote there is a seat. */
export function seatsOf(state: Pick<RegistryState, 'groupsByNumber'>, node: NodeId): GroupId[] {
  return state
    .groupsByNumber()
    .filter(({ group, voters, learners }) => {
      const seats = group === registryGroup ? voters : [...voters, ...learners];
      return seats.some(seat => seat.node === node);
    })
    .map(({ group }) => group);
}
