/**
 * What must hold of the registry after every command. Used by tests and the simulator; throws
 * `AssertionError` with the first thing that is broken.
 */
import { assert } from '../model/assert.ts';
import { slotCount } from '../model/ids.ts';
import type { GroupRecord, RegistryState } from './state.ts';
import { planNames } from './tenants.ts';

export function checkRegistry(state: RegistryState): void {
  const { cluster } = state;
  if (cluster === undefined) {
    assert(state.nodes.size === 0 && state.groups.size === 0, 'nothing before the bootstrap');
    return;
  }
  assert(state.groups.size === cluster.shards + 1, 'one record for every group');
  assert(state.slotTable.length === slotCount, 'every slot has a shard');
  for (const shard of state.slotTable) {
    assert(shard >= 1 && shard <= cluster.shards, `slot table names shard ${shard}`);
  }
  for (const id of state.drains.keys()) {
    assert(state.nodes.get(id)?.state === 'draining', `a drain of ${id}, which is not draining`);
  }
  for (const { name, plan } of state.tenants.values()) {
    assert(planNames(state).includes(plan), `tenant ${name} has the plan ${plan}, which is gone`);
  }
  for (const [name, { nodes, createdAtMs, untilMs }] of state.reservations) {
    assert(nodes.length > 0 && createdAtMs < untilMs, `reservation ${name} holds something`);
    assert(new Set(nodes).size === nodes.length, `reservation ${name} has one part on a node`);
  }
  const names = new Set<string>();
  for (const node of state.nodes.values()) {
    if (node.state === 'removed') continue;
    assert(!names.has(node.name), `two nodes are named ${node.name}`);
    names.add(node.name);
  }
  for (const [replicaId, replica] of state.replicas) {
    assert(replicaId === replica.replicaId, 'a replica is kept under its id');
    assert(replicaId <= state.replicaCounter, `replica ${replicaId} is above the counter`);
    assert(state.groups.has(replica.group), `replica ${replicaId} is of no group`);
  }
  const seated = new Set<number>();
  for (const group of state.groups.values()) checkGroup(state, group, seated);
  for (const replica of state.replicas.values()) {
    assert(
      replica.seated === seated.has(replica.replicaId),
      `replica ${replica.replicaId}: seated and reported differ`,
    );
  }
  for (const newest of state.templates.newest()) {
    const { tenant, name, revision } = newest;
    const head = state.templates.head(tenant, name);
    assert(head?.deletedAtMs === undefined, `template ${name} is there and was deleted`);
    assert(revision <= head!.lastRevision, `revision ${revision} of ${name} is above its last`);
    const numbers = state.templates.revisions(tenant, name).map(one => one.revision);
    const grow = numbers.every((number, place) => place === 0 || number > numbers[place - 1]!);
    assert(grow, `revisions of ${name} grow`);
  }
  for (const [sha256, token] of state.tokens) assert(sha256 === token.sha256, 'token by its hash');
}

function checkGroup(state: RegistryState, group: GroupRecord, seated: Set<number>): void {
  assert(group.voters.length > 0, `group ${group.group} has no voter`);
  for (const { replicaId, node } of [...group.voters, ...group.learners]) {
    assert(!seated.has(replicaId), `replica ${replicaId} has two seats`);
    seated.add(replicaId);
    const record = state.replicas.get(replicaId);
    assert(record !== undefined, `replica ${replicaId} has a seat and no record`);
    assert(record.group === group.group && record.node === node, `replica ${replicaId} moved`);
  }
}
