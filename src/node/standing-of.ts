/** What a node may say here, by what the registry knows of it. */
import type { NodeId } from '../model/ids.ts';
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
