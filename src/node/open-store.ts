/** Opens the store of a start; one that cannot be opened for want of room gets the ballast's. */
import { TschedError } from '../model/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Store, StoreImage } from '../ports/store.ts';
import { createLevelStore } from '../storage/level-store.ts';
import type { DataDir } from './data-dir.ts';
import { freeBallast, isDiskFull } from './data-disk.ts';
import { examine } from './examine.ts';
import { lostLogFault, lostLogFile, readLostLog } from './lost-log.ts';
import { readPeers } from './peers-file.ts';

/**
 * Whether a damaged store may be gone on with. Throws where another node may have what this one
 * has: a replica that forgot what it promised would break the promises of its whole group, and it
 * can be rebuilt from the others.
 */
export async function mayLoseData(dir: DataDir): Promise<boolean> {
  const { verdict, onlyCopy } = await examine(dir.path);
  if (verdict !== 'damaged') return false;
  // What a store without its newest batches says of its members may be out of date.
  const peers = await readPeers(dir);
  const shared = peers !== undefined && peers.nodes.length > 0 && peers.alone === 0;
  if (onlyCopy && !shared) return true;
  throw new TschedError(
    'storageFault',
    `other nodes may have what ${dir.path} has: --accept-data-loss is for the only copy. Put the ` +
      'store aside with `tsched doctor --quarantine` and have it rebuilt from them',
  );
}

export async function openStore(
  dir: DataDir,
  log: Log,
  onFault: (error: Error) => void,
  acceptDataLoss: boolean,
): Promise<{ readonly store: Store; readonly image: StoreImage }> {
  const lost = await readLostLog(dir);
  if (lost !== undefined && !acceptDataLoss) throw lostLogFault(dir, lost);
  const open = async () => {
    const store = createLevelStore({ directory: dir.store, log, acceptDataLoss });
    const image = await store.open(onFault);
    await dir.remove(lostLogFile);
    return { store, image };
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
