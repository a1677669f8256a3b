/**
 * drainNode: a node is to leave. It becomes `draining`: it is given nothing any more, and what it
 * holds goes elsewhere. With `on` false it is `up` again, and is given its share.
 *
 *   joining, up ──on──▶ draining ──off──▶ up
 *
 * Asked again, a drain takes the new deadline. Replies: ok, repeated, `unknownNode`, `tooFewNodes`
 * (shards would be left with fewer voters, and `force` was not said), `badRequest` (dead).
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
import { objectionTo } from './capacity.ts';

export function applyDrainNode(
  state: RegistryState,
  command: RegistryCommandOf<'drainNode'>,
  effects: RegistryEffect[],
): RegistryReply {
  const node = state.nodes.get(command.node);
  if (node === undefined || node.state === 'removed') {
    return refused('unknownNode', `no node ${command.node}`);
  }
  if (!command.on) {
    if (node.state === 'up' || node.state === 'joining') return repeated;
    if (node.state === 'dead') {
      return refused('badRequest', `node ${node.name} is dead: start it again, and it is up`);
    }
    state.setNodeState(node, 'up');
  } else {
    if (node.state === 'dead') {
      return refused(
        'badRequest',
        `node ${node.name} is dead: there is nothing to drain, \`tsched node remove ${node.name}\``,
      );
    }
    const { deadlineMs } = command;
    const before = state.drains.get(node.id);
    if (before !== undefined && before.deadlineMs === deadlineMs) return repeated;
    if (node.state !== 'draining') {
      const objection = objectionTo(state, node, command.force);
      if (objection !== undefined) return refused('tooFewNodes', objection);
      state.setNodeState(node, 'draining');
    }
    state.putDrain(node.id, { deadlineMs });
  }
  effects.push({ kind: 'nodeChanged', node: node.id });
  return accepted;
}
