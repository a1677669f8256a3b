/** Runs the store suites on every implementation of the port. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/ports/log.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { LevelDisk, simLevelFiles } from '../simulation/sim-level.ts';
import { createSimStore } from '../simulation/sim-store.ts';
import { type StoreSubject, storeSuite } from './store.ts';
import { storeSnapshotSuite } from './store-snapshots.ts';

async function onLevel(): Promise<StoreSubject> {
  const root = await mkdtemp(join(tmpdir(), 'tsched-store-'));
  return levelIn(root);
}

const levelIn = (root: string): StoreSubject => ({
  handle: () => createLevelStore({ directory: join(root, 'node', 'db'), log: silentLog }),
  afterPowerLoss: async () => {
    // Every batch is synced: what the files say between two of them is what a crash leaves.
    const copy = await mkdtemp(join(tmpdir(), 'tsched-store-'));
    await cp(root, copy, { recursive: true });
    return levelIn(copy);
  },
  dispose: () => rm(root, { recursive: true }),
});

async function inMemory(): Promise<StoreSubject> {
  return memoryOn(new MemoryDisk(), disk => createMemoryStore({ disk }));
}

function memoryOn(
  disk: MemoryDisk,
  handle: (disk: MemoryDisk) => ReturnType<StoreSubject['handle']>,
): StoreSubject {
  return {
    handle: () => handle(disk),
    afterPowerLoss: async () => memoryOn(disk.copy(), handle),
    dispose: () => Promise.resolve(),
  };
}

async function onSimulatedDisk(): Promise<StoreSubject> {
  let drawn = 7;
  // Real time stands in for virtual time here: the suite waits for promises.
  const scheduler = { after: (_: number, fire: () => void) => setImmediate(fire) };
  const random = { uint32: () => (drawn = (Math.imul(drawn, 1_664_525) + 1_013_904_223) >>> 0) };
  return memoryOn(new MemoryDisk(), disk => createSimStore({ scheduler, random, disk }));
}

/** The real store, as the simulator runs it. */
const onSimulatedLevel = async (disk = new LevelDisk()): Promise<StoreSubject> => ({
  handle: () =>
    createLevelStore({ directory: 'store', log: silentLog }, simLevelFiles({ disk, schedule })),
  afterPowerLoss: () => {
    const copy = disk.copy();
    copy.lose(() => false);
    return onSimulatedLevel(copy);
  },
  dispose: () => Promise.resolve(),
});

const schedule = (finish: (error: Error | undefined) => void): void =>
  void setImmediate(() => finish(undefined));

for (const suite of [storeSuite, storeSnapshotSuite]) {
  suite('LevelDB', onLevel);
  suite('memory', inMemory);
  suite('the simulated disk', onSimulatedDisk);
  suite('LevelDB on a simulated disk', () => onSimulatedLevel());
}
