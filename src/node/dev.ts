/**
 * `tsched dev`: a whole cluster on this machine, each node a process of its own as in production. A
 * small real workload shows that it works. Everything ends with this process.
 */
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TschedError } from '../model/errors.ts';
import { DataDir } from './data-dir.ts';
import { type DevNode, type DevOptions, devNodeDir, spawnDevNode } from './dev-node.ts';
import { initCluster } from './make-cluster.ts';

const stopMs = 15_000;
const workloadTasks = 30;

type Print = (line: string) => void;

/** Runs until SIGINT or SIGTERM. Throws where a node does not come up. */
export async function runDev(options: DevOptions, print: Print): Promise<void> {
  const first = new DataDir(devNodeDir(options, 1));
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const fresh = !(await first.hasStore());
  if (fresh) await initCluster({ dataDir: first.path, shards: options.shards, name: 'dev' });
  const token = await first.readText('admin.token');
  if (token === undefined) {
    throw new TschedError(
      'dataDirForeign',
      `${first.path} holds no admin.token: give another --dir`,
    );
  }
  const nodes: DevNode[] = [];
  const ending = new AbortController();
  const interrupted = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        ending.abort();
        resolve();
      });
    }
  });
  try {
    print(`data      ${options.dir}`);
    const up = bringUp(options, token, nodes, print, ending.signal);
    await Promise.race([up, interrupted]);
    if (!ending.signal.aborted) print(`ready http://${nodes[0]!.address}`);
    await interrupted;
    print('stopping');
  } finally {
    ending.abort();
    await stopAll(nodes, token);
  }
}

/** Starts all nodes, waits for the cluster to be whole and runs the workload. */
async function bringUp(
  options: DevOptions,
  token: string,
  nodes: DevNode[],
  print: Print,
  ending: AbortSignal,
): Promise<void> {
  const start = (number: number, joinToken?: string): DevNode => {
    const node = spawnDevNode(options, number, joinToken);
    nodes.push(node);
    node.process.once('exit', (code, signal) => {
      if (!ending.aborted) print(`${node.name} ended: ${signal ?? `exit code ${code}`}`);
    });
    return node;
  };
  const untilReady = async (node: DevNode): Promise<void> => {
    node.address = await node.ready;
    print(`${node.name}    http://${node.address}   ${node.dir}   pid ${node.process.pid}`);
  };
  // Those that are members already come up together: none is ready without a majority of them.
  const numbers = Array.from({ length: options.nodes }, (_, place) => place + 1);
  const known = await Promise.all(
    numbers.map(number => new DataDir(devNodeDir(options, number)).hasStore()),
  );
  const members = numbers.filter((_, place) => known[place]).map(number => start(number));
  await Promise.all(members.map(untilReady));
  for (const number of numbers.filter((_, place) => !known[place])) {
    const joinToken = await joinTokenOf(nodes[0]!.address, token);
    // After the last wait: whoever ends the cluster would not know of a node that starts now.
    if (ending.aborted) return;
    await untilReady(start(number, joinToken));
  }
  const { address } = nodes[0]!;
  if (!(await untilHealthy(address, token, ending))) return;
  print(`${options.nodes} nodes, ${options.shards} shards, every shard replicated`);
  if (options.workload) await runWorkload(nodes, token, print);
}

async function call<T>(address: string, token: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`http://${address}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) {
    throw new TschedError(
      'internal',
      `${path} answered ${response.status}: ${await response.text()}`,
    );
  }
  return (await response.json()) as T;
}

async function joinTokenOf(address: string, token: string): Promise<string> {
  return (await call<{ token: string }>(address, token, '/v1/cluster/join-token', {})).token;
}

async function untilHealthy(address: string, token: string, ending: AbortSignal): Promise<boolean> {
  for (let tries = 0; tries < 300 && !ending.aborted; tries++) {
    const health = await call<{ ok: boolean }>(address, token, '/v1/cluster/health');
    if (health.ok) return true;
    await delay(100);
  }
  return false;
}

/** Thirty real processes over all nodes; each checksums a file of the program. */
async function runWorkload(nodes: readonly DevNode[], token: string, print: Print): Promise<void> {
  const beganMs = Date.now();
  const ids: string[] = [];
  for (let number = 0; number < workloadTasks; number++) {
    const entry = nodes[number % nodes.length]!;
    const { id } = await call<{ id: string }>(entry.address, token, '/v1/tasks', {
      name: `demo-${number + 1}`,
      command: ['sha256sum', process.execPath],
    });
    ids.push(id);
  }
  print(`submitted ${ids.length} tasks, each checksums the program that runs this`);
  const byState = new Map<string, number>();
  const byNode = new Map<string, number>();
  for (const [number, id] of ids.entries()) {
    const entry = nodes[number % nodes.length]!;
    const view = await call<{ state: string; attempts: { nodeName: string }[] }>(
      entry.address,
      token,
      `/v1/tasks/${id}/wait?timeout=60s`,
    );
    byState.set(view.state, (byState.get(view.state) ?? 0) + 1);
    const node = view.attempts.at(-1)?.nodeName ?? '-';
    byNode.set(node, (byNode.get(node) ?? 0) + 1);
    const settled = number + 1;
    if (settled % 10 === 0) print(`  settled ${settled} of ${ids.length}`);
  }
  const counted = (counts: Map<string, number>): string =>
    [...counts]
      .sort()
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  const tookS = ((Date.now() - beganMs) / 1_000).toFixed(1);
  print(`workload  ${counted(byState)} in ${tookS} s   on ${counted(byNode)}`);
}

/** Asks every node to stop with its tasks; what does not is ended by its process id. */
async function stopAll(nodes: readonly DevNode[], token: string): Promise<void> {
  await Promise.all(
    nodes.map(async node => {
      const gone = new Promise<boolean>(resolve => {
        if (node.process.exitCode !== null || node.process.signalCode !== null) resolve(true);
        else node.process.once('exit', () => resolve(true));
      });
      const stop = call(node.address, token, '/v1/nodes/self/stop', { endTasks: true });
      await stop.catch(() => node.process.kill('SIGTERM'));
      const stopped = await Promise.race([gone, delay(stopMs, false)]);
      if (!stopped) node.process.kill('SIGKILL');
    }),
  );
}
