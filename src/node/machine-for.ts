/** The state machine of a group: the registry's for group 0, a shard's for any other. */
import { registryGroup } from '../model/ids.ts';
import { RegistryMachine } from '../registry/machine.ts';
import { ShardMachine } from '../shard/machine.ts';
import type { GroupMachine } from './group-machine.ts';

/** An empty one. */
export function machineFor(group: number): GroupMachine {
  const machine =
    group === registryGroup ? new RegistryMachine() : new ShardMachine({ shard: group });
  return machine as unknown as GroupMachine;
}
