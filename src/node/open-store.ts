/** Opens the store of a start; one that cannot be opened for want of room gets the ballast's. */
import type { Log } from '../ports/log.ts';
import type { Store, StoreImage } from '../ports/store.ts';
import { createLevelStore } from '../storage/level-store.ts';
import type { DataDir } from './data-dir.ts';
import { freeBallast, isDiskFull } from './data-disk.ts';

export async function openStore(
  dir: DataDir,
  log: Log,
  onFault: (error: Error) => void,
  acceptDataLoss: boolean,
): Promise<{ readonly store: Store; readonly image: StoreImage }> {
  const open = async () => {
    const store = createLevelStore({ directory: dir.store, log, acceptDataLoss });
    return { store, image: await store.open(onFault) };
  };
  try {
    return await open();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    const freed = await freeBallast(dir.path);
    if (freed === 0) throw error;
    log.warn('the disk is full: gave up the ballast to open the store', { freed });
    return await open();
  }
}
