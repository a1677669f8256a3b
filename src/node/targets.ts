/** Where the replicas of every group should be, by the registry as it is here. */
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { Target } from '../routing/rendezvous.ts';
import type { GroupSeats } from '../routing/seating.ts';
import { targetPlacement } from '../routing/target-placement.ts';

/** Seats as they are; one whose store is gone is none. */
export function seatsNow(machine: RegistryMachine): GroupSeats[] {
  const alive = (
    seats: readonly { readonly replicaId: number; readonly node: NodeId }[],
  ): NodeId[] =>
    seats
      .filter(seat => machine.replicaOwner(seat.replicaId)?.dead !== true)
      .map(seat => seat.node);
  return machine.groups().map(group => ({
    group: group.group,
    voters: alive(group.voters),
    learners: alive(group.learners),
  }));
}

/** The target of every group, as it would be `without` one node where that is asked. */
export function targetsOf(machine: RegistryMachine, without?: NodeId): Map<GroupId, Target> {
  const nodes = machine
    .nodes()
    .filter(node => node.state !== 'removed')
    .map(node =>
      node.id === without && node.state === 'up' ? { ...node, state: 'draining' as const } : node,
    );
  const targets = targetPlacement({
    replication: machine.cluster()?.replication ?? 1,
    nodes: nodes.map(node => ({
      id: node.id,
      weight: node.weight,
      zone: node.zone,
      eligible: node.state === 'up',
      lost: node.state === 'dead',
    })),
    groups: seatsNow(machine),
  });
  const registry = targets.get(registryGroup);
  if (registry !== undefined) {
    // Every node follows the registry, so that it knows the cluster without asking (ADR): one that
    // is on its way out too, which has to hear that, and that it may go.
    const voters = new Set(registry.voters);
    const learners = nodes
      .filter(node => node.state === 'up' || node.state === 'draining')
      .filter(node => !voters.has(node.id))
      .map(node => node.id);
    targets.set(registryGroup, { ...registry, learners });
  }
  return targets;
}
