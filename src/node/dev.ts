/**
 * `tsched dev`: a whole cluster on this machine, each node a process of its own as in production. A
 * small real workload shows that it works. Everything ends with this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TschedError } from '../model/errors.ts';
import { DataDir } from './data-dir.ts';
import { initCluster } from './make-cluster.ts';

export interface DevOptions {
  readonly dir: string;
  readonly shards: number;
  readonly httpPort: number;
  readonly nodes: number;
  readonly workload: boolean;
}

const startMs = 60_000;
const stopMs = 15_000;
const workloadTasks = 30;

interface DevNode {
  readonly name: string;
  readonly dir: string;
  readonly process: ChildProcess;
  address: string;
}

type Print = (line: string) => void;

/** Runs until SIGINT or SIGTERM. Throws where a node does not come up. */
export async function runDev(options: DevOptions, print: Print): Promise<void> {
  const first = new DataDir(join(options.dir, 'node-1'));
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
  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    await stopAll(nodes, token);
  };
  const interrupted = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  try {
    print(`data      ${options.dir}`);
    for (let number = 1; number <= options.nodes; number++) {
      const node = await startDevNode(options, number, token, nodes[0]);
      nodes.push(node);
      print(`node-${number}    http://${node.address}   ${node.dir}   pid ${node.process.pid}`);
      node.process.once('exit', (code, signal) => {
        if (!ending) print(`node-${number} ended: ${signal ?? `exit code ${code}`}`);
      });
    }
    const address = nodes[0]!.address;
    const grown = await Promise.race([untilHealthy(address, token), interrupted.then(() => false)]);
    if (grown) print(`${options.nodes} nodes, ${options.shards} shards, every shard replicated`);
    if (grown && options.workload) await runWorkload(nodes, token, print);
    print(`ready http://${address}`);
    await interrupted;
    print('stopping');
  } finally {
    await end();
  }
}

async function startDevNode(
  options: DevOptions,
  number: number,
  token: string,
  first: DevNode | undefined,
): Promise<DevNode> {
  const dir = new DataDir(join(options.dir, `node-${number}`));
  const joining = number > 1 && !(await dir.hasStore());
  const join_ =
    joining && first !== undefined ? await joinTokenOf(first.address, token) : undefined;
  const http = options.httpPort === 0 ? 0 : options.httpPort + number - 1;
  const args = [
    ...process.execArgv,
    process.argv[1]!,
    ...['node', 'start', '--data-dir', dir.path, '--name', `node-${number}`],
    ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', `127.0.0.1:${http}`, '--tier', 'premium'],
    ...(join_ === undefined ? [] : ['--join', join_]),
  ];
  await mkdir(options.dir, { recursive: true });
  const log = createWriteStream(join(options.dir, `node-${number}.log`), { flags: 'a' });
  // A group of its own: Ctrl-C in the terminal reaches this process only, which stops them in order.
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stderr?.pipe(log);
  const address = await new Promise<string>((resolve, reject) => {
    let text = '';
    const timer = setTimeout(
      () =>
        reject(
          new TschedError(
            'starting',
            `node-${number} is not ready after ${startMs / 1_000} s; see ${options.dir}/node-${number}.log`,
          ),
        ),
      startMs,
    );
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const ready = /ready http:\/\/(\S+)/.exec(text);
      if (ready !== null) {
        clearTimeout(timer);
        resolve(ready[1]!);
      }
    });
    child.once('exit', code => {
      clearTimeout(timer);
      reject(
        new TschedError(
          'unreachable',
          `node-${number} ended with exit code ${code}; see ${options.dir}/node-${number}.log`,
        ),
      );
    });
  });
  return { name: `node-${number}`, dir: dir.path, process: child, address };
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

async function untilHealthy(address: string, token: string): Promise<boolean> {
  for (let tries = 0; tries < 300; tries++) {
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
  print(
    `workload  ${counted(byState)} in ${((Date.now() - beganMs) / 1_000).toFixed(1)} s   on ${counted(byNode)}`,
  );
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
