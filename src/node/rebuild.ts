/**
 * `node start --auto-rebuild`: a damaged store is put aside, and the node comes back under its own
 * key with a new one, which its peers fill (ADR 0024). Never where nobody else has the data, and
 * never again and again: a disk that damages one store after the other has to be looked at.
 *
 *   damaged -> rebuild.json -> quarantine-TIME -> a new store -> registered and ready
 *
 * A crash in between goes on at the next start: as long as `rebuild.json` is there, an empty store
 * is one that is being rebuilt.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TschedError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { formatSize } from '../model/resources.ts';
import type { Log } from '../ports/log.ts';
import { syncDirectory } from '../storage/data-dir.ts';
import type { DataDir } from './data-dir.ts';
import { DiskRoom } from './disk-room.ts';
import { type Examination, examine } from './examine.ts';
import { type Contact, readPeers } from './peers-file.ts';
import { quarantine } from './quarantine.ts';

export const rebuildFile = 'rebuild.json';
const dayMs = 86_400_000;

/** What a store that is being rebuilt begins from. */
export interface Rebuilding {
  readonly clusterId: string;
  readonly contacts: readonly Contact[];
}

/** `undefined` where no rebuild was begun, or it is over. */
export async function rebuilding(dir: DataDir): Promise<Rebuilding | undefined> {
  if ((await dir.read(rebuildFile)) === undefined) return undefined;
  const peers = await readPeers(dir);
  if (peers === undefined || peers.nodes.length === 0) return undefined;
  return { clusterId: peers.clusterId, contacts: peers.nodes };
}

/**
 * Puts the store aside that a start has found to be damaged, so that the next one makes a new one.
 * Throws what the start came to, with the reason, where that must not be.
 */
export async function setAside(
  dir: DataDir,
  fault: TschedError,
  options: {
    readonly nowMs: number;
    readonly reserveBytes?: number | undefined;
    readonly log: Log;
  },
): Promise<void> {
  const { nowMs, log } = options;
  const found = await examine(dir.path);
  // What failed was the disk or the machine, not what is stored: a new store would not help.
  if (found.verdict !== 'damaged') throw fault;
  const why = await whyNot(dir, found, options);
  if (why !== undefined) {
    throw new TschedError(
      'storageFault',
      `${fault.message} It is not rebuilt by itself: ${why}`,
      { directory: dir.path },
      fault,
    );
  }
  await dir.write(rebuildFile, `${JSON.stringify({ version: 1, atMs: nowMs })}\n`, 0o600);
  const aside = await quarantine(found, nowMs);
  log.warn('the store is damaged: it was put aside and is rebuilt from other nodes', {
    aside,
    why: fault.message,
  });
  for (const old of (await quarantines(dir)).slice(0, -limits.quarantinesKept)) {
    await rm(join(dir.path, old.name), { recursive: true, force: true });
    log.warn('deleted an older store that was put aside', { name: old.name });
  }
  await syncDirectory(dir.path);
}

async function whyNot(
  dir: DataDir,
  found: Examination,
  options: { readonly nowMs: number; readonly reserveBytes?: number | undefined },
): Promise<string | undefined> {
  const peers = await readPeers(dir);
  // Not by the members that the store names: it may have lost the batch with the newest ones.
  if (peers !== undefined && peers.alone > 0) {
    return `this is the only copy of ${peers.alone} groups: no other node votes in them.`;
  }
  if (peers === undefined || peers.nodes.length === 0) {
    return 'no other node is known here (peers.json), so that nobody can be asked for the data.';
  }
  if (found.cluster !== undefined && found.cluster !== peers.clusterId) {
    return 'peers.json is of another cluster than the store.';
  }
  const recent = (await quarantines(dir)).filter(({ atMs }) => options.nowMs - atMs < dayMs);
  if (recent.length >= limits.rebuildsPerDayMax) {
    return (
      `${recent.length} stores were put aside within a day already: this disk cannot be relied on. ` +
      'Once it is mended, delete the quarantine directories.'
    );
  }
  const room = new DiskRoom(options.reserveBytes);
  room.measured(found.freeBytes, found.totalBytes);
  if (found.freeBytes - found.storeBytes >= room.reserveBytes) return undefined;
  return (
    `a second store of ${formatSize(found.storeBytes)} has no room: ${room.describe()}. Make room, ` +
    'or delete quarantine directories of before.'
  );
}

/** Stores that were put aside here, oldest first. */
async function quarantines(dir: DataDir): Promise<{ name: string; atMs: number }[]> {
  const found: { name: string; atMs: number }[] = [];
  for (const name of await readdir(dir.path)) {
    const time = /^quarantine-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(name);
    if (time === null) continue;
    const [year, month, day, hour, minute, second] = time.slice(1).map(Number);
    found.push({ name, atMs: Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) });
  }
  return found.sort((left, right) => left.atMs - right.atMs);
}
