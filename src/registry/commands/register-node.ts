/**
 * registerNode, registerStart: a node joins, or its process was started again.
 *
 *   not known                 needs a join secret; becomes `joining`
 *   known, same store         its boot count has to grow, and its store to know the start that is
 *                             known here (a rolled-back disk's does not); the state stays, but
 *                             `dead` becomes `up` again
 *   known, same boot          repeated, or an update of addresses and resources
 *   known, another store      its disk was wiped: its replicas are dead and have to be replaced, it
 *                             becomes `joining`, or stays `draining`
 *   known, a store it had before    refused: its replicas were replaced meanwhile
 *   removed                   refused
 *
 * Replies: ok, `joinRefused` (secret, name taken, too many nodes), `nodeRemoved`,
 * `storeRolledBack`, `badRequest`.
 */
import { limits } from '../../model/limits.ts';
import { wrongRegistration, wrongStarts } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import { sameRegistration } from '../same.ts';
import { hasForgotten, type KnownStarts } from '../starts.ts';
import {
  accepted,
  type NodeRegistration,
  type RegistryEffect,
  type RegistryNode,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

type RegisterNode = RegistryCommandOf<'registerNode'> | RegistryCommandOf<'registerStart'>;

export function applyRegisterNode(
  state: RegistryState,
  command: RegisterNode,
  effects: RegistryEffect[],
): RegistryReply {
  const { node } = command;
  const starts = command.kind === 'registerStart' ? command.starts : undefined;
  const wrong = wrongRegistration(node) ?? wrongStarts(starts);
  if (wrong !== undefined) return refused('badRequest', wrong);
  const known = state.nodes.get(node.id);
  if (known?.state === 'removed') {
    return refused('nodeRemoved', `node ${known.name} was removed from the cluster`);
  }
  if (state.spentStores.has(node.storeId)) {
    return refused(
      'storeRolledBack',
      `the store of ${node.name} was given up: the node has been started with another since`,
    );
  }
  const namesake = state.nodeByName(node.name);
  if (namesake !== undefined && namesake.id !== node.id) {
    return refused('joinRefused', namesakeMessage(namesake));
  }
  if (known === undefined) return join(state, command, effects);
  if (known.storeId !== node.storeId) return replaceStore(state, known, command, effects);
  return restart(state, known, { node, starts }, effects);
}

/** What to do depends on what became of the other node of that name. */
function namesakeMessage({ name, state, id }: RegistryNode): string {
  const start = `another node is named "${name}"`;
  const remove = `\`tsched node remove ${name}\``;
  if (state === 'dead') return `${start} and is dead: ${remove} first, or give another --name`;
  return `${start} (${state}, ID ${id}): give another --name, or drain that one and ${remove} it`;
}

function join(
  state: RegistryState,
  { node, joinSecret, atMs }: RegisterNode,
  effects: RegistryEffect[],
): RegistryReply {
  const secret = joinSecret === undefined ? undefined : state.joinSecrets.get(joinSecret);
  if (secret === undefined) return refused('joinRefused', 'the join token is not known here');
  // The stamp and not state time: after a quiet hour state time is behind for a while (DESIGN 4).
  if (secret.expiresAtMs !== undefined && secret.expiresAtMs <= atMs) {
    return refused('joinRefused', 'the join token has expired');
  }
  if (secret.usesLeft === 0) return refused('joinRefused', 'the join token was used up');
  let present = 0;
  for (const other of state.nodes.values()) if (other.state !== 'removed') present++;
  if (present >= limits.nodesMax) {
    return refused('joinRefused', `the cluster has ${limits.nodesMax} nodes, the most it takes`);
  }
  if (secret.usesLeft !== undefined) {
    state.putJoinSecret({ ...secret, usesLeft: secret.usesLeft - 1 });
  }
  state.putNode({ ...node, state: 'joining', sinceMs: state.nowMs });
  effects.push({ kind: 'nodeChanged', node: node.id });
  return accepted;
}

function restart(
  state: RegistryState,
  known: RegistryNode,
  { node, starts }: { readonly node: NodeRegistration; readonly starts: KnownStarts | undefined },
  effects: RegistryEffect[],
): RegistryReply {
  if (hasForgotten(known, node, starts)) {
    return refused(
      'storeRolledBack',
      `the data directory of ${node.name} was rolled back: this is its start ${node.bootCount}, ` +
        `and it does not know of start ${known.bootCount}, which was seen before`,
    );
  }
  const sameBoot = node.bootCount === known.bootCount && node.bootId === known.bootId;
  const returned = known.state === 'dead';
  if (sameBoot && !returned && sameRegistration(node, known)) return repeated;
  state.putNode({
    ...node,
    state: returned ? 'up' : known.state,
    sinceMs: returned ? state.nowMs : known.sinceMs,
  });
  effects.push({ kind: 'nodeChanged', node: node.id });
  return accepted;
}

function replaceStore(
  state: RegistryState,
  known: RegistryNode,
  { node }: RegisterNode,
  effects: RegistryEffect[],
): RegistryReply {
  state.spendStore(known.storeId);
  const died: number[] = [];
  for (const replica of state.replicasById()) {
    if (replica.node !== known.id || replica.storeId === node.storeId) continue;
    // A seat stays on record until its group has replaced it; a free id has no more use.
    if (replica.seated) died.push(replica.replicaId);
    else state.dropReplica(replica.replicaId);
  }
  // A node that is to leave is still to leave.
  const next = known.state === 'draining' ? 'draining' : 'joining';
  state.putNode({ ...node, state: next, sinceMs: state.nowMs });
  effects.push({ kind: 'nodeChanged', node: node.id });
  if (died.length > 0) effects.push({ kind: 'replicasDied', node: node.id, replicaIds: died });
  return accepted;
}
