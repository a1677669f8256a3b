/**
 * A cluster of real node processes on this machine, as an operator would start it: `cluster init`,
 * `cluster token`, `node start`. Whatever happens, `stopAll` leaves none of its processes and
 * files: nodes are ended by their process ids, supervisors by the record that their node keeps.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { realClock } from '../../src/node/real-clock.ts';
import { descendants, processUsage } from '../../src/worker/supervisor/processes.ts';
import { endSupervisor } from '../../src/worker/supervisor-process.ts';

/** CPUs that each node of an idle cluster offers: so many one-CPU tasks run there at a time. */
export const idleCpus = 8;

const run = promisify(execFile);
const startMs = 60_000;
const stopMs = 10_000;
const spreadMs = 20_000;

export interface ClusterOptions {
  readonly program: string;
  /** A directory is made below it. */
  readonly dir: string;
  readonly nodes: number;
  /** What each node says that it has. */
  readonly cpus: number;
  readonly shards?: number | undefined;
}

export interface BenchNode {
  readonly name: string;
  readonly dir: string;
  readonly log: string;
  process: ChildProcess;
  host: string;
  port: number;
}

export interface ShardState {
  readonly shard: number;
  readonly leader?: string | undefined;
  /** Index of the last committed log entry. */
  readonly commit: number;
  readonly waiting: number;
  readonly running: number;
  readonly settled: number;
}

const live = new Set<BenchCluster>();

/** Ends every cluster that was started here and still lives. */
export async function stopAll(): Promise<void> {
  await Promise.all([...live].map(cluster => cluster.stop()));
}

export class BenchCluster {
  readonly nodes: BenchNode[] = [];
  /** IDs of the tasks that fill its nodes, where some do. */
  readonly holders: string[] = [];
  readonly #options: ClusterOptions;
  readonly #dir: string;
  #token = '';
  #stopping: Promise<void> | undefined;

  private constructor(options: ClusterOptions, dir: string) {
    this.#options = options;
    this.#dir = dir;
  }

  /** Resolves when every shard is fully replicated and every node leads its part of them. */
  static async start(options: ClusterOptions): Promise<BenchCluster> {
    await mkdir(options.dir, { recursive: true });
    const cluster = new BenchCluster(options, await mkdtemp(join(options.dir, 'tsched-bench-')));
    live.add(cluster);
    try {
      await cluster.#begin();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #begin(): Promise<void> {
    const first = join(this.#dir, '1');
    const shards = this.#options.shards;
    await this.cli([
      ...['cluster', 'init', '--data-dir', first, '-q'],
      ...(shards === undefined ? [] : ['--shards', String(shards)]),
    ]);
    this.#token = (await readFile(join(first, 'admin.token'), 'utf8')).trim();
    for (let number = 1; number <= this.#options.nodes; number++) {
      const joinToken =
        number === 1
          ? undefined
          : (await this.cli(['cluster', 'token', '--data-dir', first, '-q'])).trim();
      const dir = join(this.#dir, String(number));
      const log = join(this.#dir, `${number}.log`);
      const begun = this.#spawn(number, dir, log, joinToken);
      const node = { name: `n${number}`, dir, log, process: begun, host: '127.0.0.1', port: 0 };
      this.nodes.push(node);
      await this.#untilReady(node);
    }
    await this.untilHealthy();
    await this.#untilSpread();
  }

  /** Runs the program's CLI to its end; rejects where it fails. */
  async cli(args: readonly string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [this.#options.program, ...args], {
      env: this.#environment(),
    });
    return stdout;
  }

  /** For the CLI: a profile of the user is neither read nor written. */
  #environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#dir,
      TSCHED_CONFIG_DIR: join(this.#dir, 'config'),
    };
  }

  /** Runs the CLI as a client of the first node; resolves with the time it took whole, ms. */
  async timeCli(args: readonly string[]): Promise<number> {
    const env = { ...this.#environment(), TSCHED_ADDR: this.address, TSCHED_TOKEN: this.#token };
    const beganMs = performance.now();
    await run(process.execPath, [this.#options.program, ...args], { env });
    return performance.now() - beganMs;
  }

  get token(): string {
    return this.#token;
  }

  get address(): string {
    return `${this.nodes[0]!.host}:${this.nodes[0]!.port}`;
  }

  #spawn(number: number, dir: string, log: string, joinToken: string | undefined): ChildProcess {
    const output = openSync(log, 'a');
    try {
      return spawn(
        process.execPath,
        [
          ...[this.#options.program, 'node', 'start', '--data-dir', dir, '--name', `n${number}`],
          ...['--http', '127.0.0.1:0', '--cpu', String(this.#options.cpus), '--tier', 'premium'],
          ...['--log-level', 'warn', '--memory', '64GiB'],
          ...(joinToken === undefined ? [] : ['--join', joinToken]),
        ],
        {
          stdio: ['ignore', output, output],
          // Any free port, should a profile be asked for.
          env: { ...this.#environment(), NODE_OPTIONS: '--inspect-port=127.0.0.1:0' },
        },
      );
    } finally {
      closeSync(output);
    }
  }

  async #untilReady(node: BenchNode): Promise<void> {
    const deadlineMs = performance.now() + startMs;
    for (;;) {
      // The last one: a node that was started again writes on.
      const ready = [...logOf(node).matchAll(/^ready http:\/\/([^:\s]+):(\d+)$/gm)].pop();
      if (ready !== undefined) {
        node.host = ready[1]!;
        node.port = Number(ready[2]);
        return;
      }
      const { exitCode, signalCode } = node.process;
      if (exitCode !== null || signalCode !== null || performance.now() > deadlineMs) {
        throw new Error(`${node.name} does not come up:\n${logOf(node).slice(-2_000)}`);
      }
      await delay(25);
    }
  }

  /** Asks a node; rejects where the answer is not a good one. */
  async call<T>(path: string, body?: unknown, node = this.nodes[0]!): Promise<T> {
    const response = await fetch(`http://${node.host}:${node.port}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 500)}`);
    const type = response.headers.get('content-type') ?? '';
    return (type.includes('json') ? JSON.parse(text) : text) as T;
  }

  async untilHealthy(timeoutMs = startMs): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const health = await this.call<{ ok: boolean; problems: string[] }>('/v1/cluster/health');
      if (health.ok) return;
      if (performance.now() > deadlineMs) {
        throw new Error(`the cluster does not become healthy: ${health.problems.join('; ')}`);
      }
      await delay(100);
    }
  }

  async shards(node = this.nodes[0]!): Promise<ShardState[]> {
    return this.call<ShardState[] | { shards: ShardState[] }>('/v1/shards', undefined, node).then(
      answer => ('shards' in answer ? answer.shards : answer),
    );
  }

  /** How many shards each node leads, in the order of the nodes. */
  async leaderships(): Promise<number[]> {
    const shards = await this.shards();
    return this.nodes.map(node => shards.filter(shard => shard.leader === node.name).length);
  }

  /** Leaders spread by themselves; a cluster that was just made is measured after that. */
  async #untilSpread(): Promise<void> {
    const deadlineMs = performance.now() + spreadMs;
    for (;;) {
      const led = await this.leaderships();
      const total = led.reduce((sum, one) => sum + one, 0);
      if (Math.min(...led) >= Math.floor((total / led.length) * 0.7)) return;
      if (performance.now() > deadlineMs) return;
      await delay(200);
    }
  }

  /** Values of `/metrics` without labels. */
  async metrics(node = this.nodes[0]!): Promise<Map<string, number>> {
    const text = await this.call<string>('/metrics', undefined, node);
    const values = new Map<string, number>();
    for (const match of text.matchAll(/^([a-z_]+) ([0-9.e+-]+)$/gm)) {
      values.set(match[1]!, Number(match[2]));
    }
    return values;
  }

  /** The sum of a metric over all nodes. */
  async metricSum(name: string): Promise<number> {
    const all = await Promise.all(this.nodes.map(node => this.metrics(node)));
    return all.reduce((sum, metrics) => sum + (metrics.get(name) ?? 0), 0);
  }

  /** CPU time that the node processes have used so far, together, milliseconds. */
  cpuMs(): number {
    const usages = this.nodes.map(node => processUsage(node.process.pid!, true));
    return usages.reduce((sum, one) => sum + one.userCpuMs + one.systemCpuMs, 0);
  }

  /** The same of their supervisors, and of the tasks that these have waited for. */
  supervisorCpuMs(): number {
    const usages = this.nodes.flatMap(supervisorPids).map(pid => processUsage(pid, true));
    return usages.reduce((sum, one) => sum + one.userCpuMs + one.systemCpuMs, 0);
  }

  /** kill -9; resolves when the process is gone. */
  async kill(node: BenchNode): Promise<void> {
    const gone = new Promise(resolve => node.process.once('exit', resolve));
    node.process.kill('SIGKILL');
    await gone;
  }

  async restart(node: BenchNode): Promise<void> {
    const number = this.nodes.indexOf(node) + 1;
    await rm(node.log, { force: true });
    node.process = this.#spawn(number, node.dir, node.log, undefined);
    await this.#untilReady(node);
  }

  /** Ends every process and removes every file; never rejects for a process that is gone. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => this.#stopNode(node)));
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 3 });
    live.delete(this);
  }

  async #stopNode(node: BenchNode): Promise<void> {
    const { process: child } = node;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<boolean>(resolve => child.once('exit', () => resolve(true)));
      // The data goes with the cluster: nothing has to be handed over.
      child.kill('SIGKILL');
      if (!(await Promise.race([gone, delay(stopMs, false)]))) {
        process.stderr.write(`warning: ${node.name} (pid ${child.pid}) did not end\n`);
      }
    }
    try {
      await endSupervisor(node.dir, realClock);
    } catch (error) {
      process.stderr.write(`warning: supervisor of ${node.name}: ${String(error)}\n`);
    }
  }
}

/** All processes of a node's supervisor, as the node's own record names them. */
export function supervisorPids(node: BenchNode): number[] {
  const record = JSON.parse(readFileSync(join(node.dir, 'supervisor.json'), 'utf8')) as {
    processes: { pid: number }[];
  };
  const first = record.processes[0]!.pid;
  return [first, ...descendants(first)];
}

function logOf(node: BenchNode): string {
  return readFileSync(node.log, 'utf8');
}
