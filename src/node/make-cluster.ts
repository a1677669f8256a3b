/** `tsched cluster init`: a cluster of one node, whole on the disk before anything listens. */
import { randomBytes } from 'node:crypto';
import { ownClusterVersion, versionTextOf } from '../model/cluster-version.ts';
import { TschedError } from '../model/errors.ts';
import { registryGroup } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import { noResources } from '../model/resources.ts';
import { formatDuration } from '../model/time.ts';
import { programVersion } from '../model/version.ts';
import { newNetworkKey, newPrivateKey, nodeIdOf } from '../net/keys.ts';
import { silentLog } from '../ports/log.ts';
import type { StoreOp } from '../ports/store.ts';
import { encodeConfChange } from '../raft/codec.ts';
import type { Entry } from '../raft/message.ts';
import { encodeRegistryCommand } from '../registry/command.ts';
import { bootstrapReplicaId } from '../registry/commands/bootstrap.ts';
import { createLevelStore } from '../storage/level-store.ts';
import { bearerText } from './bearer.ts';
import { DataDir } from './data-dir.ts';
import { encodeDescriptor, encodeMembers, noConf } from './descriptor.ts';
import { deadAfterMsMin, deadAfterSetting } from './node-watch.ts';
import { sha256Hex } from './sha256.ts';

const replicationDefault = 3;

export interface InitOptions {
  readonly dataDir: string;
  readonly shards: number;
  readonly name?: string | undefined;
  /** How long a node may be silent before it is replaced. */
  readonly deadAfterMs?: number | undefined;
}

/** The first log entries of every group of a new cluster; pure but for the bytes of the command. */
export function bootstrapOps(options: {
  readonly clusterId: string;
  readonly clusterName: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly storeId: string;
  readonly shards: number;
  readonly replication: number;
  readonly atMs: number;
  readonly adminTokenSha256: string;
  /** By name, where they differ from the defaults. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}): StoreOp[] {
  const { nodeId, storeId, atMs } = options;
  const ops: StoreOp[] = [];
  for (let group = registryGroup; group <= options.shards; group++) {
    const replicaId = bootstrapReplicaId(group);
    const entries: Entry[] = [
      {
        term: 1,
        index: 1,
        type: 2,
        data: encodeConfChange({
          transition: 'auto',
          changes: [{ kind: 'addVoter', id: replicaId }],
          context: encodeMembers([{ replicaId, node: nodeId, storeId }]),
        }),
      },
    ];
    if (group === registryGroup) {
      const data = encodeRegistryCommand({
        kind: 'bootstrap',
        atMs,
        actor: { name: `node:${nodeId}`, tenant: '' },
        clusterId: options.clusterId,
        name: options.clusterName,
        shards: options.shards,
        replication: options.replication,
        formatVersion: 1,
        node: {
          id: nodeId,
          name: options.nodeName,
          storeId,
          bootCount: 1,
          bootId: 'init',
          addresses: [],
          httpAddress: '',
          tier: 'basic',
          total: noResources,
          labels: [],
          zone: '',
          weight: 100,
          version: versionTextOf(programVersion, ownClusterVersion),
        },
        tokens: [
          {
            id: 'admin',
            name: 'admin',
            sha256: options.adminTokenSha256,
            role: 'admin',
            tenant: 'default',
          },
        ],
      });
      entries.push({ term: 1, index: 2, type: 0, data });
      for (const [name, value] of Object.entries(options.settings ?? {})) {
        const actor = { name: `node:${nodeId}`, tenant: '' };
        const data = encodeRegistryCommand({ kind: 'setSetting', atMs, actor, name, value });
        entries.push({ term: 1, index: entries.length + 1, type: 0, data });
      }
    }
    const descriptor = { replicaId, confIndex: 0, conf: noConf, members: [] };
    ops.push({ kind: 'descriptor', group, value: encodeDescriptor(descriptor) });
    ops.push({ kind: 'entries', group, entries });
    ops.push({ kind: 'hard', group, hard: { term: 1, vote: 0, commit: entries.length } });
  }
  return ops;
}

export async function initCluster(
  options: InitOptions,
): Promise<{ clusterId: string; nodeId: string; tokenFile: string }> {
  const { shards } = options;
  if (
    !Number.isInteger(shards) ||
    shards < 1 ||
    shards > limits.shardsMax ||
    (shards & (shards - 1)) !== 0
  ) {
    throw new TschedError(
      'badRequest',
      `--shards must be a power of two up to ${limits.shardsMax}, not ${shards}`,
    );
  }
  const { deadAfterMs = deadAfterMsMin } = options;
  if (!(deadAfterMs >= deadAfterMsMin)) {
    throw new TschedError(
      'badRequest',
      `--dead-after must be at least ${formatDuration(deadAfterMsMin)}`,
      { field: 'dead-after' },
    );
  }
  const dir = new DataDir(options.dataDir);
  if (!(await dir.isEmpty())) {
    throw new TschedError('dataDirTaken', `${options.dataDir} is not empty`);
  }
  await dir.make();
  try {
    return await fill(dir, options);
  } catch (error) {
    // Where somebody else makes one in the same place it is theirs.
    const theirs =
      error instanceof TschedError && ['dataDirTaken', 'dataDirInUse'].includes(error.code);
    if (!theirs) await dir.clear();
    throw error;
  }
}

async function fill(
  dir: DataDir,
  options: InitOptions,
): Promise<{ clusterId: string; nodeId: string; tokenFile: string }> {
  const { shards } = options;
  const privateKey = await newPrivateKey();
  const nodeId = await nodeIdOf(privateKey);
  const clusterId = randomBytes(16).toString('hex');
  const storeId = randomBytes(16).toString('hex');
  const token = bearerText(randomBytes(32));
  const ops = bootstrapOps({
    clusterId,
    clusterName: options.name ?? 'tsched',
    nodeId,
    nodeName: `node-${nodeId.slice(-6)}`,
    storeId,
    shards,
    replication: replicationDefault,
    atMs: Date.now(),
    adminTokenSha256: sha256Hex(Buffer.from(token)),
    settings:
      options.deadAfterMs === undefined ? {} : { [deadAfterSetting]: String(options.deadAfterMs) },
  });
  await dir.write('node.key', privateKey, 0o600);
  await dir.write('network.key', newNetworkKey(), 0o600);
  await dir.write('admin.token', `${token}\n`, 0o600);
  const store = createLevelStore({ directory: dir.store, log: silentLog });
  await store.create({ clusterId, nodeId, storeId });
  let failed: (error: Error) => void = () => undefined;
  await store.open(error => failed(error));
  try {
    await new Promise<void>((resolve, reject) => {
      failed = reject;
      store.write(ops, resolve);
    });
  } finally {
    await store.close();
  }
  return { clusterId, nodeId, tokenFile: `${options.dataDir}/admin.token` };
}
