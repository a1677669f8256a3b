/**
 * Replicas that were removed from their group while they were away, or fell between that and its
 * record on the disk: nobody speaks to them any more, so they ask the registry.
 */
import type { RegistryMachine } from '../registry/machine.ts';

interface Asking {
  readonly group: number;
  readonly id: number;
  readonly descriptor: { readonly confIndex: number };
}

/**
 * Whether the registry, as it is here, proves that a replica left its group for good. The newest
 * configuration that it knows must be at least as new as the replica's own, without it; and its id
 * must be spent: one that is not on record yet may have been handed out a moment ago.
 */
export function wasRemoved(
  { group, id, descriptor }: Asking,
  registry: Pick<RegistryMachine, 'group' | 'replicaOwner' | 'lastReplicaId'>,
): boolean {
  const record = registry.group(group);
  if (record === undefined || record.confIndex < descriptor.confIndex) return false;
  if ([...record.voters, ...record.learners].some(seat => seat.replicaId === id)) return false;
  return id <= registry.lastReplicaId && registry.replicaOwner(id) === undefined;
}
