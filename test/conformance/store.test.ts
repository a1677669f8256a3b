/** Runs the store suite on every implementation of the port. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/ports/log.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { MemoryDisk } from '../../src/storage/memory-disk.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
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
