/**
 * Puts a damaged store aside, so that the node can be given a new one. The directory moves as a
 * whole and nothing is deleted: what is wrong with it can still be looked at.
 */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TschedError } from '../model/errors.ts';
import { syncDirectory } from '../storage/data-dir.ts';
import { DataDir } from './data-dir.ts';
import type { Examination } from './examine.ts';
import { ifThere } from './if-there.ts';
import { lostLogFile } from './lost-log.ts';

/** Answers where the store is now. Refuses one that is in use or not damaged. */
export async function quarantine(examined: Examination, atMs: number): Promise<string> {
  const { dataDir, verdict } = examined;
  if (verdict === 'running') {
    throw new TschedError('dataDirInUse', `a node has ${dataDir} open: stop it first`);
  }
  if (verdict !== 'damaged') {
    throw new TschedError(
      'badRequest',
      `the store in ${dataDir} is not damaged: it stays where it is`,
    );
  }
  const dir = new DataDir(dataDir);
  const time = new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const aside = join(dataDir, `quarantine-${time}`);
  await mkdir(aside, { mode: 0o700 });
  await rename(dir.store, join(aside, 'store'));
  await ifThere(rename(join(dataDir, lostLogFile), join(aside, lostLogFile)));
  await syncDirectory(aside);
  await syncDirectory(dataDir);
  return aside;
}
