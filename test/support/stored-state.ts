/** What the data directory of a node that has ended holds, read without the node. */
import { join } from 'node:path';
import { registryGroup } from '../../src/model/ids.ts';
import { loadMachine } from '../../src/node/load-machine.ts';
import { silentLog } from '../../src/ports/log.ts';
import { RegistryMachine } from '../../src/registry/machine.ts';
import { ShardMachine } from '../../src/shard/machine.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';

export interface StoredState {
  readonly firstIndex: number;
  /** Of the state that is on the disk, over all decisions that led to it. */
  readonly digest: number;
  /** Tasks of a shard, settled ones too. */
  readonly tasks: number;
}

/** The state of each group. Opens the store as a node would: none may run on it. */
export async function storedStates(dataDir: string): Promise<Map<number, StoredState>> {
  const store = createLevelStore({ directory: join(dataDir, 'store'), log: silentLog });
  const image = await store.open(error => {
    throw error;
  });
  const states = new Map<number, StoredState>();
  for (const { group, firstIndex } of image.groups) {
    const reading = store.readGroup(group);
    const shard = new ShardMachine({ shard: group });
    const machine = group === registryGroup ? new RegistryMachine() : shard;
    await loadMachine(machine, reading, reading.applied);
    machine.checkInvariants();
    const tasks = Object.values(shard.counts()).reduce((sum, count) => sum + count, 0);
    states.set(group, { firstIndex, digest: machine.digest(), tasks });
  }
  await store.close();
  return states;
}
