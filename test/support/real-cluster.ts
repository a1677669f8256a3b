/**
 * A cluster of real node processes on this machine, in a directory that is removed afterwards:
 * `withCluster` starts it, hands it to the test, prints what the nodes said where the test fails,
 * and ends every process that belongs to it in any case.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Program, type ProgramRun, plainEnv, startProgram } from './program.ts';
import { RealNode } from './real-node.ts';
import { killHard, processesWritingTo, supervisorProcesses } from './real-processes.ts';
import { until } from './until.ts';

const stopMs = 15_000;
const callMs = 15_000;

export interface ClusterOptions {
  readonly nodes: number;
  readonly shards?: number | undefined;
  /** Flags of `node start` for the node of this number, from 1; the ports are any unless given. */
  readonly flags?: ((number: number) => readonly string[]) | undefined;
  /** A command in front of the program of this node. */
  readonly prefix?: ((number: number) => readonly string[]) | undefined;
  /** Entry of the program that makes the cluster and runs its nodes, where it is another one. */
  readonly program?: string | undefined;
  /** More flags of `cluster init`. */
  readonly init?: readonly string[] | undefined;
  /** `cluster init` only: the first node is not started. */
  readonly startNone?: boolean | undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

export interface ShardRow {
  readonly shard: number;
  readonly term: number;
  readonly leader?: string | undefined;
  readonly commit: number;
  readonly settled: number;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  readonly state: string;
}

export interface AttemptRow {
  readonly attempt: number;
  readonly run: number;
  readonly nodeName: string;
  readonly outcome?: { readonly kind: string; readonly exitCode?: number } | undefined;
}

export interface TaskRow {
  readonly id: string;
  readonly state: string;
  readonly reason?: string | undefined;
  readonly shard: number;
  readonly lost: number;
  readonly runs: number;
  readonly retryOf?: string | undefined;
  readonly attempts: readonly AttemptRow[];
  readonly outcome?:
    | { readonly kind: string; readonly exitCode?: number; readonly tail: string }
    | undefined;
}

export const settledStates: readonly string[] = ['succeeded', 'failed', 'cancelled', 'aborted'];

const defaultFlags = [
  '--listen',
  '/ip4/127.0.0.1/tcp/0',
  '--http',
  '127.0.0.1:0',
  '--ballast',
  '0',
];

export class RealCluster {
  readonly dir: string;
  readonly nodes: RealNode[] = [];
  readonly #options: ClusterOptions;
  #token = '';

  private constructor(dir: string, options: ClusterOptions) {
    this.dir = dir;
    this.#options = options;
  }

  /** Makes a cluster; its nodes are started one after the other, each of them ready. */
  static async start(options: ClusterOptions): Promise<RealCluster> {
    const dir = await mkdtemp(join(tmpdir(), 'tsched-e2e-'));
    const cluster = new RealCluster(dir, options);
    try {
      await cluster.#init();
      if (options.startNone !== true) {
        for (let number = 1; number <= options.nodes; number++) await cluster.addNode();
        await cluster.untilWhole();
      }
      return cluster;
    } catch (error) {
      console.error(cluster.tails());
      await cluster.end();
      throw error;
    }
  }

  async #init(): Promise<void> {
    const first = join(this.dir, '1');
    const shards = String(this.#options.shards ?? 16);
    const more = this.#options.init ?? [];
    const made = await startProgram(
      ['cluster', 'init', '--data-dir', first, '--shards', shards, ...more],
      { env: plainEnv(this.configDir), program: this.#options.program },
    ).done;
    if (made.code !== 0) throw new Error(`cluster init failed: ${made.stderr}`);
    this.#token = (await readFile(join(first, 'admin.token'), 'utf8')).trim();
  }

  get configDir(): string {
    return join(this.dir, 'config');
  }

  get token(): string {
    return this.#token;
  }

  node(name: string): RealNode {
    const found = this.nodes.find(node => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** Nodes that run and are not paused. */
  get alive(): RealNode[] {
    return this.nodes.filter(node => node.awake);
  }

  /** Any node that runs. */
  get any(): RealNode {
    const [node] = this.alive;
    if (node === undefined) throw new Error('no node runs');
    return node;
  }

  /** Starts one more node, which joins unless it is the first, and waits until it takes tasks. */
  async addNode(): Promise<RealNode> {
    const number = this.nodes.length + 1;
    const node = new RealNode({
      name: `n${number}`,
      dir: join(this.dir, String(number)),
      configDir: this.configDir,
      flags: this.#options.flags?.(number) ?? defaultFlags,
      prefix: this.#options.prefix?.(number),
      program: this.#options.program,
    });
    const join_ = number === 1 ? [] : ['--join', await this.joinToken()];
    this.nodes.push(node);
    await node.start(join_);
    return node;
  }

  async joinToken(): Promise<string> {
    const { stdout, stderr, code } = await this.run([
      'cluster',
      'token',
      '--data-dir',
      join(this.dir, '1'),
      '-q',
    ]);
    if (code !== 0) throw new Error(`cluster token failed: ${stderr}`);
    return stdout.trim();
  }

  /** Starts the command line without waiting, talking to `at` only. */
  startCli(
    args: readonly string[],
    at?: RealNode,
    stdin?: string | Buffer,
    program?: string,
    limitMs?: number,
  ): Program {
    const env = plainEnv(this.configDir);
    if (at !== undefined) {
      env['TSCHED_ADDR'] = at.address;
      env['TSCHED_TOKEN'] = this.#token;
    }
    return startProgram(args, { env, stdin, cwd: this.dir, program, limitMs });
  }

  run(args: readonly string[], at?: RealNode, stdin?: string | Buffer): Promise<ProgramRun> {
    return this.startCli(args, at, stdin).done;
  }

  /** As `run`, at any node that lives; what a command printed where it succeeded, else an error. */
  async ok(args: readonly string[], at: RealNode = this.any): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, at);
    if (code === 0) return stdout.trim();
    throw new Error(`tsched ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  }

  /** One request to the HTTP API; rejects where no answer comes. */
  async call<T>(
    node: RealNode,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    limitMs = callMs,
  ): Promise<Answer<T>> {
    const response = await fetch(`http://${node.address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(limitMs),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  /** As `call`, of an answer that must be a success. */
  async get<T>(path: string, node: RealNode = this.any): Promise<T> {
    const { status, body } = await this.call<T>(node, 'GET', path);
    if (status >= 300) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  task(id: string, node: RealNode = this.any): Promise<TaskRow> {
    return this.get<TaskRow>(`/v1/tasks/${id}`, node);
  }

  async shards(node: RealNode = this.any): Promise<readonly ShardRow[]> {
    return (await this.get<{ shards: ShardRow[] }>('/v1/shards', node)).shards;
  }

  /** The node that leads most shards, among those that run. */
  async busiestLeader(): Promise<RealNode> {
    const led = new Map<string, number>();
    for (const { leader } of await this.shards()) {
      if (leader !== undefined) led.set(leader, (led.get(leader) ?? 0) + 1);
    }
    const [most] = [...led].sort(([, left], [, right]) => right - left);
    if (most === undefined) throw new Error('no shard has a leader');
    return this.node(most[0]);
  }

  /** Until every shard is replicated as it should be, as seen by the nodes that run. */
  async untilWhole(limitMs = 60_000): Promise<void> {
    const running = String(this.alive.length);
    const args = ['cluster', 'health', '--wait', '--nodes', running, '--timeout', `${limitMs}ms`];
    // What is waited for may take longer than any other command.
    const waiting = this.startCli(args, this.any, undefined, undefined, limitMs + 30_000);
    const { code, stdout, stderr } = await waiting.done;
    if (code !== 0) throw new Error(`the cluster is not whole (${code}): ${stderr}${stdout}`);
  }

  /** Until every shard has a leader, seen from each node that runs. */
  async untilLed(limitMs = 60_000): Promise<void> {
    for (const node of this.alive) {
      await until(
        `every shard has a leader, seen from ${node.name}`,
        async () => {
          const shards = await this.shards(node);
          const names = new Set(this.alive.map(one => one.name));
          return shards.every(({ leader }) => leader !== undefined && names.has(leader));
        },
        limitMs,
      );
    }
  }

  /** The task once it has settled. */
  untilSettled(id: string, limitMs = 60_000): Promise<TaskRow> {
    return until(
      `task ${id} settles`,
      async () => {
        const task = await this.task(id);
        return settledStates.includes(task.state) ? task : undefined;
      },
      limitMs,
    );
  }

  /** The task once it has settled, or runs on this node. */
  untilSettledOrOn(id: string, node: string, limitMs = 60_000): Promise<TaskRow> {
    return until(
      `task ${id} settles, or runs on ${node}`,
      async () => {
        const task = await this.task(id);
        const there = task.attempts.at(-1)?.nodeName === node;
        const reached = settledStates.includes(task.state) || (task.state === 'running' && there);
        return reached ? task : undefined;
      },
      limitMs,
    );
  }

  untilState(id: string, state: string, limitMs = 60_000): Promise<TaskRow> {
    return until(
      `task ${id} is ${state}`,
      async () => {
        const task = await this.task(id);
        return task.state === state ? task : undefined;
      },
      limitMs,
    );
  }

  tails(): string {
    return this.nodes.map(node => node.tail()).join('\n');
  }

  /** Ends every process of the cluster; throws where one is left, after it was killed. */
  async end(): Promise<void> {
    const known = this.nodes.flatMap(node => supervisorProcesses(node.dir));
    for (const pid of known) resume(pid);
    await Promise.all(this.nodes.map(node => this.#endNode(node)));
    // Of nodes that did not end in order: what their supervisors run goes with them.
    for (const node of this.nodes) {
      for (const pid of supervisorProcesses(node.dir).toReversed()) killHard(pid);
    }
    const left = await this.#untilGone();
    const told = left.map(describe);
    for (const pid of left) killHard(pid);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
    if (left.length > 0) throw new Error(`processes were left running: ${told.join('; ')}`);
  }

  async #endNode(node: RealNode): Promise<void> {
    if (!node.alive) return;
    node.resume();
    try {
      await this.call(node, 'POST', '/v1/nodes/self/stop', { endTasks: true }, 5_000);
      await node.exited(stopMs);
    } catch {
      // It does not answer, or not in time: then it is ended the hard way.
      await node.kill();
    }
  }

  async #untilGone(): Promise<number[]> {
    try {
      await until('all processes end', () => processesWritingTo(this.dir).length === 0, stopMs);
      return [];
    } catch {
      return processesWritingTo(this.dir);
    }
  }
}

/** For a person: what a process is, as long as it is there. */
function describe(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return `${pid} (${words.slice(0, 8).join(' ').trim()})`;
  } catch {
    // It has just ended.
    return `${pid}`;
  }
}

function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Runs `body` on a cluster; prints the nodes' last words where it fails. */
export async function withCluster(
  options: ClusterOptions,
  body: (cluster: RealCluster) => Promise<void>,
): Promise<void> {
  const cluster = await RealCluster.start(options);
  try {
    await body(cluster);
  } catch (error) {
    console.error(cluster.tails());
    // What is left behind is told too, but not instead of what went wrong first.
    await cluster.end().catch((leftover: unknown) => console.error(leftover));
    throw error;
  }
  await cluster.end();
}
