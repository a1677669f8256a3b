/** What a node may say here, by what the registry knows of it. */
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { Standing } from './peers.ts';

/** Every node may ask to join; only what the registry knows may say anything else. */
export function standingOf(machine: RegistryMachine | undefined, node: NodeId): Standing {
  if (machine?.cluster() === undefined) {
    // Not in the cluster yet: what was dialled by the join token, and whoever these vouch for by
    // making this node a replica of the registry.
    return 'member';
  }
  const known = machine.node(node);
  if (known === undefined) return 'unknown';
  return known.state === 'removed' ? 'removed' : 'member';
}

/** Whether a node of that standing may be sent the state of a group: who joins, the registry's. */
export const mayHold = (standing: Standing, group: GroupId): boolean =>
  standing === 'member' || (standing === 'unknown' && group === registryGroup);

/** The node says itself that it is draining; the registry knows where it cannot. */
export function takesWork(machine: RegistryMachine | undefined, node: NodeId): boolean {
  const state = machine?.node(node)?.state;
  return state !== 'draining' && state !== 'removed';
}

/** Where others reach the tasks of a node: the host that it listens on, or its name. */
export function hostOf(machine: RegistryMachine | undefined, node: NodeId): string {
  const known = machine?.node(node);
  const [address] = known?.addresses ?? [];
  const [, host] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)/.exec(address ?? '') ?? [];
  return host ?? known?.name ?? node;
}
