/** A node as a process: real clock, disk, network, processes and HTTP around `TschedNode`. */
import { hostname } from 'node:os';
import { createGateway } from '../gateway/server.ts';
import { TschedError } from '../model/errors.ts';
import { registryGroup } from '../model/ids.ts';
import type { Tier } from '../model/resources.ts';
import { programVersion } from '../model/version.ts';
import { createNet } from '../net/create-libp2p.ts';
import { nodeIdOf } from '../net/keys.ts';
import type { StoreImage } from '../ports/store.ts';
import { LogLost } from '../raft/fatal.ts';
import { createProcessRunner } from '../worker/process-runner.ts';
import { DataDir } from './data-dir.ts';
import { ballastBytesDefault, dataDisk } from './data-disk.ts';
import { readHttp } from './http-address.ts';
import { keepPorts } from './listen-ports.ts';
import type { LogLimits } from './log-policy.ts';
import { noteLostLog } from './lost-log.ts';
import { TschedNode } from './node.ts';
import { machineLabels, withLabels } from './node-labels.ts';
import { mayLoseData, openStore } from './open-store.ts';
import { PeersFile } from './peers-file.ts';
import { createLog } from './pino-log.ts';
import { type Offer, type Prepared, portsOf, prepareNode, totalsOf } from './prepare-node.ts';
import { realClock, realRandom } from './real-clock.ts';
import { rebuildFile, setAside } from './rebuild.ts';
import type { Replica } from './replica.ts';

export { freeBallast } from './data-disk.ts';
export { runDev } from './dev.ts';
export { examine } from './examine.ts';
export { initCluster } from './make-cluster.ts';
export { quarantine } from './quarantine.ts';
export { writeSupportBundle } from './support-bundle.ts';
export { recoverUnsafely } from './unsafe-recover.ts';

/** Exit code of a node whose disk failed (DESIGN 2). */
const storageExit = 74;
/** A node that cannot go on gets this long to stop in order. */
const fatalStopMs = 10_000;

export interface NodeOptions extends Offer {
  readonly dataDir: string;
  readonly join?: string | undefined;
  readonly listen: readonly string[];
  readonly http: string;
  readonly name?: string | undefined;
  readonly tier: Tier;
  readonly labels: readonly (readonly [string, string])[];
  readonly submitsInFlightMax?: number | undefined;
  /** Bytes kept free on the disk; a twentieth of it, 1 to 10 GiB, unless given. */
  readonly diskReserveBytes?: number | undefined;
  /** Go on with a store that shows that acknowledged batches are gone. */
  readonly acceptDataLoss?: boolean | undefined;
  /** Have a damaged store rebuilt from the other nodes, where they have what it held. */
  readonly autoRebuild?: boolean | undefined;
  /** 0 for none. */
  readonly ballastBytes?: number | undefined;
  readonly allowInsecureHttp?: boolean | undefined;
  readonly logLevel?: string | undefined;
  /** How long logs may get, for tests that cannot wait for the usual length. */
  readonly logLimits?: LogLimits | undefined;
}

export interface RunningNode {
  readonly httpAddress: string;
  readonly addresses: readonly string[];
  readonly nodeId: string;
  readonly name: string;
  readonly ready: Promise<void>;
  readonly stopped: Promise<void>;
  stop(options?: { readonly endTasks?: boolean }): Promise<void>;
}

const brokenOff = (dir: DataDir): TschedError =>
  new TschedError(
    'dataDirForeign',
    `the making of ${dir.path} was broken off: delete it, then make or join a cluster again`,
  );

/** Throws where the store cannot be the one that this start means. */
function checkImage(
  dir: DataDir,
  image: StoreImage,
  nodeId: string,
  { join, rebuilt }: Prepared,
): void {
  const { header, groups } = image;
  const refuse = (why: string): never => {
    throw new TschedError('dataDirForeign', why);
  };
  if (header.nodeId !== nodeId) {
    refuse(`the store in ${dir.path} belongs to node ${header.nodeId}`);
  }
  if (join !== undefined && join.clusterId !== header.clusterId) {
    refuse(`${dir.path} holds a node of another cluster than the join token`);
  }
  if (join !== undefined || rebuilt) return;
  if (groups.length === 0 && image.tombstones.size === 0) {
    throw brokenOff(dir);
  }
  if (!groups.some(({ group }) => group === registryGroup)) {
    throw new TschedError(
      'nodeRemoved',
      `the node in ${dir.path} has left the registry: it was removed from its cluster. Where ` +
        '`tsched node list` still shows it, start it once with --join TOKEN',
    );
  }
}

/** Starts a node, on a new store where the old one is damaged and may be rebuilt. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const dir = new DataDir(options.dataDir);
  try {
    return await tryStart(options);
  } catch (cause) {
    const error = (await noteLostLog(dir, cause, Date.now())) ?? cause;
    const isFault = error instanceof TschedError && error.code === 'storageFault';
    if (options.autoRebuild !== true || !isFault) throw error;
    const log = createLog(options.logLevel ?? 'info', options.name ?? hostname());
    const { diskReserveBytes: reserveBytes } = options;
    await setAside(dir, error, { nowMs: Date.now(), reserveBytes, log });
    return await tryStart(options);
  }
}

/** What was begun is taken back where a later step fails. */
async function tryStart(options: NodeOptions): Promise<RunningNode> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await start(options, undo);
  } catch (error) {
    for (const step of undo.reverse()) {
      await step().catch((failure: unknown) => {
        process.stderr.write(`warning: not everything was closed: ${String(failure)}\n`);
      });
    }
    throw error;
  }
}

async function start(options: NodeOptions, undo: (() => Promise<void>)[]): Promise<RunningNode> {
  const { host, port } = readHttp(options.http, options.allowInsecureHttp === true);
  const dir = new DataDir(options.dataDir);
  const early = createLog(options.logLevel ?? 'info', options.name ?? hostname());
  const prepared = await prepareNode(dir, options.join, early);
  const nodeId = await nodeIdOf(prepared.privateKey);
  const name = options.name ?? `${hostname()}-${nodeId.slice(-6)}`;
  const log = createLog(options.logLevel ?? 'info', name);

  let stopNode: (how: { endTasks: boolean; handOver: boolean }) => Promise<void> = async () =>
    undefined;
  let finish: () => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const stopped = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  /** It was a member: what ends it then is no failure of the start. */
  let tookTasks = false;
  /** The store is being read; whoever reads it hears of a fault, and may have it rebuilt. */
  let recovering = options.autoRebuild === true;
  /** What ends it, where that is a failure: a stop in order must not hide it. */
  let fault: unknown;
  // Whoever started the node hears of it; during the start nobody listens yet.
  stopped.catch(() => undefined);
  const fatal = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof TschedError ? error.code : 'internal';
    if (code === 'nodeRemoved' && tookTasks) {
      // Asked for by an administrator: not a failure, after which it would be started again.
      log.warn('the node was removed from the cluster: it ends', { name });
      process.stdout.write(`${message}: it ends; its data directory has no more use\n`);
      stopNode({ endTasks: true, handOver: false }).catch(fail);
      return;
    }
    log.error('the node cannot go on', {
      code,
      why: message,
      stack: error instanceof Error ? error.stack : undefined,
    });
    if (error instanceof LogLost) {
      const end = (): never => process.exit(storageExit);
      process.stderr.write(`error: ${message}\n`);
      noteLostLog(dir, error, Date.now()).then(end, end);
      return;
    }
    if (code === 'storageFault' && recovering) return;
    if (code === 'storageFault') {
      process.stderr.write(`error: ${message}\n`);
      process.exit(storageExit);
    }
    fault ??= error;
    const failed = (): void => fail(error);
    stopNode({ endTasks: false, handOver: false }).then(failed, failed);
    // It ends in any case: a node whose loop has stopped would only look alive.
    realClock.after(fatalStopMs, failed);
  };

  const acceptDataLoss = options.acceptDataLoss === true && (await mayLoseData(dir));
  const { store, image } = await openStore(dir, log, fatal, acceptDataLoss);
  undo.push(() => store.close());
  checkImage(dir, image, nodeId, prepared);
  const net = await createNet({
    privateKey: prepared.privateKey,
    networkKey: prepared.networkKey,
    listen: await keepPorts(dir, options.listen),
    log: log.child({ room: 'net' }),
    // A node that was removed has to be told so; it is heard for nothing else (`Standing`).
    mayConnect: () => true,
  });
  const ballastBytes = options.ballastBytes ?? ballastBytesDefault;
  const runner = createProcessRunner({
    dataDir: options.dataDir,
    clock: realClock,
    log: log.child({ room: 'worker' }),
    nodeName: name,
  });

  // The API comes up first, so that its address can be registered; it answers `starting` until
  // then.
  let node: TschedNode | undefined;
  const gateway = createGateway({
    api: new Proxy({} as TschedNode['api'], {
      get: (_target, verb) => Reflect.get(requireNode(node).api, verb),
    }),
    log: log.child({ room: 'gateway' }),
    host,
    port,
    version: programVersion,
  });
  undo.push(() => gateway.stop());
  const { address } = await gateway.start();
  const httpAddress = address.replace(/^http:\/\//, '');

  node = new TschedNode({
    ports: {
      clock: realClock,
      random: realRandom(),
      log,
      store,
      transport: net.transport,
      gossip: net.gossip,
      bulk: net.bulk,
      runner,
      disk: dataDisk(options.dataDir, ballastBytes),
    },
    settings: {
      name,
      version: programVersion,
      tier: options.tier,
      total: await totalsOf(options, options.dataDir),
      ports: portsOf(options),
      labels: withLabels(options.labels, machineLabels()),
      zone: options.labels.find(([key]) => key === 'zone')?.[1] ?? '',
      httpAddress,
      submitsInFlightMax: options.submitsInFlightMax,
      disk: { reserveBytes: options.diskReserveBytes, ballastBytes },
      networkKey: prepared.networkKey,
      logLimits: options.logLimits,
      joinSecret: prepared.joinSecret,
      bootstrap: prepared.bootstrap,
    },
    image,
    end: {
      fatal,
      recovered: () => {
        recovering = false;
      },
      stopAsked: how => void stopNode({ ...how, handOver: true }).catch(fail),
    },
  });
  const running = node;
  const peersFile = new PeersFile({
    dir,
    clock: realClock,
    log,
    clusterId: image.header.clusterId,
    self: nodeId,
    alone: () => [...running.loop.replicas()].filter(isOnlyVoter).length,
    peers: () =>
      (running.registry.machine()?.nodes() ?? []).map(node => ({ ...node, node: node.id })),
  });
  let stopping: Promise<void> | undefined;
  stopNode = how => {
    stopping ??= (async () => {
      log.info('stopping', { endTasks: how.endTasks });
      await dir.remove('http.address');
      await peersFile.stop();
      await running.stop(how);
      await gateway.stop();
      log.info('stopped');
      if (fault === undefined) finish();
      else fail(fault);
    })();
    return stopping;
  };
  undo.push(() => running.stop({ endTasks: false, handOver: false }));
  await running.start();
  await dir.write('http.address', `${httpAddress}\n`, 0o644);
  const ready = untilReady(running, dir, stopped).then(() => {
    tookTasks = true;
    peersFile.start();
  });
  return {
    httpAddress,
    addresses: net.transport.addresses(),
    nodeId,
    name,
    ready,
    stopped,
    stop: how => stopNode({ endTasks: how?.endTasks === true, handOver: true }),
  };
}

const isOnlyVoter = ({ id, descriptor: { conf } }: Replica): boolean =>
  conf.voters.length === 1 && conf.voters[0] === id;

function requireNode(node: TschedNode | undefined): TschedNode {
  if (node === undefined) throw new TschedError('starting', 'the node is starting');
  return node;
}

/** Pending for ever where the node stops before. */
async function untilReady(node: TschedNode, dir: DataDir, stopped: Promise<void>): Promise<void> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  stopped.then(end, end);
  while (!node.ready) {
    if (over) return new Promise<void>(() => undefined);
    await new Promise<void>(resolve => realClock.after(25, resolve));
  }
  // The registry knows this node and this store: what was to bring that about has done its work.
  await dir.remove('join.json');
  await dir.remove(rebuildFile);
}

/** Asks the running node of a data directory for a join token. */
export async function localJoinToken(dataDir: string): Promise<string> {
  const dir = new DataDir(dataDir);
  const token = await dir.readText('admin.token');
  const address = await dir.readText('http.address');
  if (token === undefined) {
    throw new TschedError(
      'dataDirForeign',
      `${dataDir} holds no admin.token: give the directory of the node that \`tsched cluster init\` made`,
    );
  }
  if (address === undefined) {
    throw new TschedError(
      'unreachable',
      `no node runs on ${dataDir}: start it with \`tsched node start --data-dir ${dataDir}\``,
    );
  }
  let response: Response;
  try {
    response = await fetch(`http://${address}/v1/cluster/join-token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
  } catch (cause) {
    throw new TschedError(
      'unreachable',
      `the node of ${dataDir} does not answer at ${address}: is it running?`,
      {},
      cause,
    );
  }
  const body = (await response.json()) as {
    token?: string;
    code?: TschedError['code'];
    detail?: string;
  };
  if (body.token === undefined) {
    throw new TschedError(body.code ?? 'internal', body.detail ?? `answered ${response.status}`);
  }
  return body.token;
}
