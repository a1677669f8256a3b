/**
 * bootstrap: makes the cluster. The first command of group 0 and the only one it takes before.
 *
 * Effect on the state: the cluster record, the slot table, the first node (`up`), its tokens, and
 * one replica id per group, `bootstrapReplicaId`, with the first node as the only voter. They are a
 * function of the group so that `cluster init` can write the groups before the command is applied.
 * Replies: ok; repeated where it is the same cluster; `dataDirTaken` where there is another one.
 */
import type { GroupId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { initialSlotTable } from '../../model/slots.ts';
import { wrongName, wrongRegistration, wrongToken } from '../check.ts';
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

/** Replica id of the first node's seat in `group`, the registry being group 0. */
export const bootstrapReplicaId = (group: GroupId): number => group + 1;

export function applyBootstrap(
  state: RegistryState,
  command: RegistryCommandOf<'bootstrap'>,
  effects: RegistryEffect[],
): RegistryReply {
  if (state.cluster !== undefined) {
    return state.cluster.id === command.clusterId
      ? repeated
      : refused('dataDirTaken', `this is cluster ${state.cluster.id} already`);
  }
  const wrong = wrongBootstrap(command);
  if (wrong !== undefined) return refused('badRequest', wrong);
  const { node, shards } = command;
  state.setCluster({
    id: command.clusterId,
    name: command.name,
    shards,
    replication: command.replication,
    createdAtMs: state.nowMs,
    formatVersion: command.formatVersion,
  });
  state.setSlotTable(initialSlotTable(shards));
  state.putNode({ ...node, state: 'up', sinceMs: state.nowMs });
  for (const token of command.tokens) state.putToken(token);
  for (let group = 0; group <= shards; group++) {
    const replicaId = bootstrapReplicaId(group);
    state.replicaCounter = replicaId;
    state.putReplica({
      replicaId,
      group,
      node: node.id,
      storeId: node.storeId,
      confIndex: 0,
      seated: true,
    });
    const voters = [{ replicaId, node: node.id }];
    state.putGroup({ group, confIndex: 0, voters, learners: [] });
  }
  effects.push({ kind: 'clusterMade' }, { kind: 'nodeChanged', node: node.id });
  return accepted;
}

function wrongBootstrap(command: RegistryCommandOf<'bootstrap'>): string | undefined {
  const { shards, replication } = command;
  if (shards < 1 || shards > limits.shardsMax || (shards & (shards - 1)) !== 0) {
    return `the number of shards must be a power of two up to ${limits.shardsMax}, not ${shards}`;
  }
  if (replication < 1 || replication > registryLimits.replicationMax || replication % 2 === 0) {
    return `replication must be odd, 1 to ${registryLimits.replicationMax}, not ${replication}`;
  }
  if (command.clusterId === '') return 'the cluster id is empty';
  if (command.tokens.length > registryLimits.tokensMax) return 'too many tokens';
  const wrong = command.tokens.map(wrongToken).find(text => text !== undefined);
  return wrong ?? wrongName(command.name, 'cluster name') ?? wrongRegistration(command.node);
}
