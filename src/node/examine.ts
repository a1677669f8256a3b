/**
 * Looks at a data directory from outside, for `tsched doctor`: what a start would refuse, what it
 * would not notice, and what a person should know. Changes nothing.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import { programVersion } from '../model/version.ts';
import { nodeIdOf } from '../net/keys.ts';
import { checkStore, type StoreCheck } from '../storage/check-store.ts';
import { DataDir } from './data-dir.ts';
import { dataDisk } from './data-disk.ts';
import { decodeDescriptor, isAlone } from './descriptor.ts';
import { DiskRoom } from './disk-room.ts';
import { ifThere } from './if-there.ts';
import { readLostLog } from './lost-log.ts';

/** A file that is this much newer than now: the clock was set back. */
const clockSlackMs = 60_000;
const secretFiles = ['node.key', 'network.key', 'admin.token', 'join.json'];

export interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly what: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
}

export interface ExaminedGroup {
  readonly group: number;
  readonly replica: number;
  readonly voters: number;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commit: number;
  readonly applied: number;
  readonly logRecords: number;
  readonly rows: number;
  readonly rowBytes: number;
}

export interface Examination {
  readonly dataDir: string;
  readonly program: string;
  /**
   * `running`: a node has it open, and its store was not looked at. `unusable`: no node can start
   * on it, but not for anything that is wrong with a store.
   */
  readonly verdict: 'healthy' | 'warning' | 'running' | 'unusable' | 'damaged';
  readonly findings: readonly Finding[];
  readonly node?: string | undefined;
  readonly cluster?: string | undefined;
  readonly store?: string | undefined;
  readonly starts?: number | undefined;
  readonly batches: number;
  readonly formats: Readonly<Record<string, number>>;
  readonly groups: readonly ExaminedGroup[];
  /** It is certain that no other node has anything of what this one has. */
  readonly onlyCopy: boolean;
  readonly storeBytes: number;
  readonly attemptsBytes: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export async function examine(dataDir: string): Promise<Examination> {
  const dir = new DataDir(dataDir);
  if (await dir.isEmpty()) {
    throw new TschedError('dataDirEmpty', `${dataDir} holds nothing`, { directory: dataDir });
  }
  const findings: Finding[] = [];
  const node = await examineFiles(dir, findings);
  const room = await dataDisk(dataDir, 0).room();
  examineRoom(room, findings);
  const [storeBytes, attemptsBytes] = [
    await examineSizes(dir.store, findings),
    await examineSizes(join(dataDir, 'attempts'), []),
  ];
  const lost = await readLostLog(dir);
  const found = await checkStore(dir.store);
  const isTold = lost !== undefined && !found.inUse;
  const check = !isTold ? found : { ...found, damage: [...found.damage, lost] };
  const groups = check.missing ? [] : groupsOf(check, findings);
  examineStore(check, node, groups, findings);
  const { header, batches, formats } = check;
  return {
    dataDir,
    program: programVersion,
    verdict: verdictOf(check, findings),
    findings,
    node,
    cluster: header?.clusterId,
    store: header?.storeId,
    starts: header?.bootCount,
    batches,
    formats,
    groups,
    onlyCopy: groups.length > 0 && aloneIn(check).every(alone => alone),
    storeBytes,
    attemptsBytes,
    ...room,
  };
}

function verdictOf(check: StoreCheck, findings: readonly Finding[]): Examination['verdict'] {
  if (check.damage.length > 0) return 'damaged';
  if (findings.some(({ level }) => level === 'error')) return 'unusable';
  if (check.inUse) return 'running';
  return findings.some(({ level }) => level === 'warning') ? 'warning' : 'healthy';
}

/** Keys and permissions. The id of the node that the directory belongs to, where it has a key. */
async function examineFiles(dir: DataDir, findings: Finding[]): Promise<string | undefined> {
  const own = await stat(dir.path);
  if ((own.mode & 0o077) !== 0) {
    const remedy = `chmod 700 ${dir.path}`;
    findings.push({ level: 'warning', what: 'others can look into the data directory', remedy });
  }
  for (const name of secretFiles) {
    const found = await ifThere(stat(join(dir.path, name)));
    if (found === undefined || (found.mode & 0o077) === 0) continue;
    const remedy = `chmod 600 ${join(dir.path, name)}`;
    findings.push({ level: 'warning', what: `others can read ${name}`, remedy });
  }
  for (const name of await readdir(dir.path)) {
    if (!name.startsWith('quarantine-')) continue;
    const what = `${name} holds a store that was put aside`;
    findings.push({ level: 'note', what, remedy: 'Delete it once the node is whole again.' });
  }
  const key = await dir.read('node.key');
  if (key === undefined || (await dir.read('network.key')) === undefined) {
    findings.push({
      level: 'error',
      what: 'node.key or network.key is missing',
      remedy: 'Bring it back, or join the cluster again with an empty directory.',
    });
    return undefined;
  }
  return await nodeIdOf(key);
}

function examineRoom(room: { freeBytes: number; totalBytes: number }, findings: Finding[]): void {
  const policy = new DiskRoom(undefined);
  policy.measured(room.freeBytes, room.totalBytes);
  if (!policy.low) return;
  findings.push({
    level: 'warning',
    what: policy.describe(),
    remedy: 'Make room; `tsched doctor --free-ballast` gives up the ballast.',
  });
}

/** Bytes of a directory and all below it; files that are newer than now are told of. */
async function examineSizes(path: string, findings: Finding[]): Promise<number> {
  let bytes = 0;
  let newest = 0;
  const names = (await ifThere(readdir(path, { recursive: true }))) ?? [];
  for (const name of names) {
    const found = await ifThere(stat(join(path, name)));
    if (found?.isFile() !== true) continue;
    bytes += found.size;
    newest = Math.max(newest, found.mtimeMs);
  }
  if (newest > Date.now() + clockSlackMs) {
    findings.push({
      level: 'warning',
      what: `the store was written at ${new Date(newest).toISOString()}, which is not yet`,
      remedy: 'Look at the clock of this machine.',
    });
  }
  return bytes;
}

function groupsOf(check: StoreCheck, findings: Finding[]): ExaminedGroup[] {
  return check.groups.flatMap(found => {
    const { group, hard, descriptor, firstIndex, lastIndex, applied } = found;
    const { logRecords, rows, rowBytes } = found;
    try {
      const { replicaId: replica, conf } = decodeDescriptor(descriptor);
      const { term, commit } = hard;
      const voters = conf.voters.length;
      const log = { firstIndex, lastIndex, commit, applied, logRecords };
      return [{ group, replica, voters, term, ...log, rows, rowBytes }];
    } catch (error) {
      const what = `the descriptor of group ${group} cannot be read: ${String(error)}`;
      findings.push({ level: 'error', what });
      return [];
    }
  });
}

function examineStore(
  check: StoreCheck,
  node: string | undefined,
  groups: readonly ExaminedGroup[],
  findings: Finding[],
): void {
  if (check.missing) {
    const remedy = 'Join the cluster with `tsched node start --join TOKEN`.';
    findings.push({ level: 'error', what: 'there is no store', remedy });
    return;
  }
  if (check.inUse) {
    const remedy = 'Stop the node to have its store looked at.';
    findings.push({ level: 'note', what: 'a node has the store open', remedy });
    return;
  }
  const { header, wal, damage, moreDamage } = check;
  for (const what of damage) findings.push({ level: 'error', what });
  if (moreDamage > 0) findings.push({ level: 'error', what: `and ${moreDamage} more rows` });
  if (damage.length > 0) findings.push(remedyOfDamage(groups, aloneIn(check)));
  if (wal?.verdict === 'torn') {
    findings.push({
      level: 'note',
      what: 'a batch was being written when the node ended; nobody was told of it',
    });
  }
  if (header !== undefined && node !== undefined && header.nodeId !== node) {
    findings.push({
      level: 'error',
      what: `the store belongs to node ${header.nodeId}, the key to ${node}`,
      remedy: 'Bring back the key or the store that belongs to it.',
    });
  }
}

/** Of each group whose descriptor can be read: whether no other node has a replica of it. */
function aloneIn({ descriptors }: StoreCheck): boolean[] {
  return descriptors.flatMap(descriptor => {
    try {
      const { replicaId, conf } = decodeDescriptor(descriptor);
      return [isAlone(conf, replicaId)];
    } catch (error) {
      if (error instanceof DecodeError) return [];
      throw error;
    }
  });
}

/** What can be done about a store that is damaged depends on whether anybody else has the data. */
function remedyOfDamage(groups: readonly ExaminedGroup[], alone: readonly boolean[]): Finding {
  if (alone.includes(false)) {
    return {
      level: 'note',
      what: 'other nodes have what this one has',
      remedy:
        '`tsched doctor --quarantine` puts the store aside; then `tsched node start --join TOKEN` ' +
        'has it rebuilt from them.',
    };
  }
  const rest = groups.reduce((sum, { commit }) => sum + commit, 0);
  const left = `${rest} entries of ${groups.length} groups can be read`;
  const known = groups.length > 0 && alone.length === groups.length;
  return {
    level: 'note',
    what: known
      ? `this is the only copy of ${alone.length} groups; ${left}`
      : 'whether other nodes have what this one has cannot be told from here',
    remedy: known
      ? 'Save the directory first. `tsched node start --accept-data-loss` goes on with what can be ' +
        'read: what is named above is lost for good, tasks that were acknowledged among it.'
      : 'Save the directory first. If the cluster has other nodes, `tsched doctor --quarantine` ' +
        'puts the store aside, and `tsched node start --join TOKEN` has it rebuilt from them.',
  };
}
