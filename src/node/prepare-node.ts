/** What a start of a node needs before it can be built: keys, a store, and what it offers. */
import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { TschedError } from '../model/errors.ts';
import type { PortRange, Resources } from '../model/resources.ts';
import { newPrivateKey, nodeIdOf } from '../net/keys.ts';
import type { Log } from '../ports/log.ts';
import type { JoinToken } from '../registry/join-token.ts';
import { createLevelStore } from '../storage/level-store.ts';
import { bootstrapOf, type DataDir, readJoinToken } from './data-dir.ts';
import type { Contact } from './peers-file.ts';
import { rebuilding } from './rebuild.ts';

/** What an operator says that the node has; the machine is asked for the rest. */
export interface Offer {
  readonly cpuMilli?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly diskBytes?: number | undefined;
  readonly iops?: number | undefined;
  readonly bandwidth?: number | undefined;
  readonly ports?: PortRange | 'none' | undefined;
}

export interface Prepared {
  /** The token that this start was given, or that an earlier one has kept. */
  readonly join?: JoinToken | undefined;
  readonly privateKey: Uint8Array;
  readonly networkKey: Uint8Array;
  readonly joinSecret?: Uint8Array | undefined;
  /** A damaged store was put aside, and the one that is there now is to be filled by others. */
  readonly rebuilt: boolean;
  readonly bootstrap: readonly Contact[];
}

/**
 * Makes or reads what a start needs. An empty directory with a join token becomes a node that has
 * not joined; its token is kept until it has, so that a crash in between loses nothing.
 */
export async function prepareNode(
  dir: DataDir,
  join: string | undefined,
  log: Log,
): Promise<Prepared> {
  const rebuild = await rebuilding(dir);
  if (!(await dir.hasStore())) {
    if (join !== undefined) await makeJoining(dir, join, log);
    else if (rebuild === undefined) throw await noStore(dir);
    else await createStore(dir, rebuild.clusterId, (await dir.keys()).privateKey, log);
  }
  const keys = await dir.keys();
  const pending = await dir.readText('join.json');
  const given = join === undefined ? undefined : readJoinToken(join);
  if (pending === undefined) {
    const bootstrap = rebuild?.contacts ?? [];
    return { ...keys, join: given, rebuilt: rebuild !== undefined, bootstrap };
  }
  const { token } = JSON.parse(pending) as { token: string };
  const kept = given ?? readJoinToken(token);
  const { secret, addresses } = kept;
  const bootstrap = bootstrapOf(addresses);
  return { ...keys, join: kept, joinSecret: secret, rebuilt: false, bootstrap };
}

/** A node that has not joined yet; its key stays where it had one. */
async function makeJoining(dir: DataDir, join: string, log: Log): Promise<void> {
  const token = readJoinToken(join);
  await dir.make();
  const privateKey = (await dir.read('node.key')) ?? (await newPrivateKey());
  await dir.write('node.key', privateKey, 0o600);
  await dir.write('network.key', token.networkKey, 0o600);
  await dir.write('join.json', JSON.stringify({ token: join.trim() }), 0o600);
  await createStore(dir, token.clusterId, privateKey, log);
}

/** Why there is nothing to start on. */
async function noStore(dir: DataDir): Promise<TschedError> {
  if (await dir.hasQuarantine()) return putAside(dir);
  if ((await dir.read('node.key')) !== undefined) return withoutStore(dir);
  return new TschedError(
    'dataDirEmpty',
    `${dir.path} holds no node: make a cluster with \`tsched cluster init --data-dir ${dir.path}\`, ` +
      'or join one with --join TOKEN (`tsched cluster token` prints it)',
  );
}

/** An empty store, under an id that was never used before. */
async function createStore(
  dir: DataDir,
  clusterId: string,
  privateKey: Uint8Array,
  log: Log,
): Promise<void> {
  const nodeId = await nodeIdOf(privateKey);
  const storeId = randomBytes(16).toString('hex');
  await createLevelStore({ directory: dir.store, log }).create({ clusterId, nodeId, storeId });
}

/**
 * Below the ports that Linux gives to outgoing connections (32768 to 60999), so that none of those
 * takes the port of a task.
 */
const portsDefault: PortRange = { from: 20_000, to: 20_999 };

/** The ports that the node gives to tasks. */
export const portsOf = ({ ports }: Offer): PortRange | undefined =>
  ports === 'none' ? undefined : (ports ?? portsDefault);

/** What the node offers: what was said, else what the machine has. */
export async function totalsOf(options: Offer, dataDir: string): Promise<Resources> {
  const disk = await statfs(dataDir);
  const range = portsOf(options);
  const ports = range === undefined ? 0 : range.to - range.from + 1;
  return {
    cpuMilli: options.cpuMilli ?? availableParallelism() * 1_000,
    // A fifth is left for the system and the node itself.
    memoryBytes: options.memoryBytes ?? Math.floor(totalmem() * 0.8),
    diskBytes: options.diskBytes ?? Math.floor(disk.bavail * disk.bsize * 0.8),
    iops: options.iops ?? 1_000,
    bandwidth: options.bandwidth ?? 125_000_000,
    ports,
  };
}

const withoutStore = (dir: DataDir): TschedError =>
  new TschedError(
    'dataDirForeign',
    `${dir.path} holds the key of a node and no store: its store is lost, or its making was broken ` +
      'off. What it held is replaced from other nodes: join again with --join TOKEN (`tsched cluster ' +
      'token` prints it), or delete the directory',
  );

const putAside = (dir: DataDir): TschedError =>
  new TschedError(
    'dataDirForeign',
    `the store of ${dir.path} was put aside: print a token with \`tsched cluster token\` on the ` +
      'node that made the cluster, then start this one with --join TOKEN; its replicas are ' +
      'rebuilt from the other nodes',
  );
