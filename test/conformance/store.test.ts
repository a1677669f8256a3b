/** Runs the store suite on every implementation of the port. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/ports/log.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createSimStore } from '../simulation/sim-store.ts';
import { storeSuite } from './store.ts';

storeSuite('LevelDB', async () => {
  const root = await mkdtemp(join(tmpdir(), 'tsched-store-'));
  return {
    handle: () => createLevelStore({ directory: join(root, 'node', 'db'), log: silentLog }),
    dispose: () => rm(root, { recursive: true }),
  };
});

storeSuite('memory', async () => {
  const disk = new MemoryDisk();
  return {
    handle: () => createMemoryStore({ disk }),
    dispose: () => Promise.resolve(),
  };
});

storeSuite('the simulated disk', async () => {
  const disk = new MemoryDisk();
  let drawn = 7;
  // Real time stands in for virtual time here: the suite waits for promises.
  const scheduler = { after: (_: number, fire: () => void) => setImmediate(fire) };
  const random = { uint32: () => (drawn = (Math.imul(drawn, 1_664_525) + 1_013_904_223) >>> 0) };
  return {
    handle: () => createSimStore({ scheduler, random, disk }),
    dispose: () => Promise.resolve(),
  };
});
