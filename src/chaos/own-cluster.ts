/**
 * A cluster of a run's own: real node processes in a directory that is removed afterwards, on
 * loopback or on a network of their own, on the machine's disk or on small ones. Whatever is made
 * here is taken away by `end`, in any state.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { abilitiesOf, findLacks } from './abilities.ts';
import { callNode, type EventsFrom, openEvents } from './calls.ts';
import type { Cluster, ClusterNode, ClusterSettings, ClusterSource, TaskFiles } from './cluster.ts';
import { deathGuard } from './death-guard.ts';
import { mountSmallDisk, unmountSmallDisk } from './disks.ts';
import type { UnexpectedEnd } from './history.ts';
import { Network } from './network.ts';
import { NodeProcess, type ProgramEntry, plainEnv } from './node-process.ts';
import { describeProcess, killHard, processesWritingTo } from './processes.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const goneMs = 10_000;
const wholeMs = 90_000;
const tokenMs = 20_000;
const ports = { http: 7070, peer: 7071 };

/** CPUs and memory that each node offers: more than there are, tasks of a run being small. */
const amounts = ['--cpu', '16', '--memory', '16GiB'];
/** A disk of a few hundred MiB is all below the reserve that a node keeps by itself. */
const smallDiskFlags = ['--disk-reserve', '16MiB'];

/** Clusters of this program's own nodes, started by it. */
export const ownClusters = (program: ProgramEntry): ClusterSource => ({
  findLacks: kinds => findLacks(kinds),
  prepare: settings => OwnCluster.prepare(settings, program),
});

class OwnCluster implements Cluster {
  readonly shards: number;
  readonly traits = { attached: false, unseen: [], notes: [] };
  /** The same for the same seed, so that tasks meet the same shards. */
  readonly runKey: string;
  readonly lookEveryMs = 150;
  readonly retryEveryMs = 100;
  readonly openMax = 500;
  readonly #dir: string;
  readonly nodes: NodeProcess[] = [];
  readonly unexpectedEnds: UnexpectedEnd[] = [];
  readonly #settings: ClusterSettings;
  readonly #program: ProgramEntry;
  readonly #mounted: string[] = [];
  /** That of the machine, which is not ours to cut. */
  readonly power = undefined;
  #network: Network | undefined;
  #token = '';
  /** Told when a node has ended, for whatever reason. */
  onEnd: () => void = () => undefined;

  private constructor(settings: ClusterSettings, program: ProgramEntry, dir: string) {
    this.#settings = settings;
    this.#program = program;
    this.#dir = dir;
    this.shards = settings.scenario.shards;
    this.runKey = `chaos-${settings.seed}`;
  }

  /** An empty place for a cluster; nothing runs yet. */
  static async prepare(settings: ClusterSettings, program: ProgramEntry): Promise<OwnCluster> {
    return new OwnCluster(settings, program, await mkdtemp(join(tmpdir(), 'tsched-chaos-')));
  }

  get links(): Network | undefined {
    return this.#network;
  }

  get #taskLog(): string {
    return join(this.#dir, 'attempts.log');
  }

  async layTaskFiles(program: string): Promise<TaskFiles> {
    const path = join(this.#dir, 'task.sh');
    await writeFile(path, program, { mode: 0o755 });
    await writeFile(this.#taskLog, '');
    return { command: ['/bin/sh', path], log: this.#taskLog };
  }

  readTaskLog(): Promise<string> {
    return readFile(this.#taskLog, 'utf8');
  }

  /** Makes the cluster; resolves when every shard is replicated as it should be. */
  async begin(say: (text: string) => void): Promise<void> {
    const { scenario, kinds, seed, signal } = this.#settings;
    say(`starting ${scenario.nodes} nodes`);
    if (abilitiesOf(kinds).has('network')) this.#network = await Network.make(scenario.nodes, seed);
    await this.#makeNodes();
    const first = this.nodes[0]!.dir;
    await this.#cli(['cluster', 'init', '--data-dir', first, '--shards', `${scenario.shards}`]);
    this.#token = (await readFile(join(first, 'admin.token'), 'utf8')).trim();
    for (const node of this.nodes) {
      const join_ = node.number === 1 ? [] : ['--join', await this.joinToken()];
      await node.launch(join_);
      const state = await node.untilReady(signal);
      if (state !== 'ready') {
        throw new Error(`${node.name} does not come up (${state}):\n${node.tail()}`);
      }
      say(`${node.name} is up at ${node.address}`);
    }
    if (!(await this.#untilWhole())) throw new Error('the cluster does not become whole');
  }

  async #makeNodes(): Promise<void> {
    const { scenario, kinds } = this.#settings;
    const smallDisks = abilitiesOf(kinds).has('smallDisk');
    const clock = kinds.includes('clockJump');
    const guard = await deathGuard();
    const own = [...amounts, ...(smallDisks ? smallDiskFlags : [])];
    for (let number = 1; number <= scenario.nodes; number++) {
      const dir = join(this.#dir, `n${number}`);
      if (smallDisks) {
        await mountSmallDisk(dir);
        this.#mounted.push(dir);
      }
      this.nodes.push(
        new NodeProcess({
          ...{ number, dir, program: this.#program, configDir: join(this.#dir, 'config') },
          flags: [...this.#addressFlags(number), ...own, ...scenario.flags],
          prefix: [...(this.#network?.prefix(number) ?? []), ...guard],
          movableClock: clock,
          onEnd: (node, how, asked) => this.#onEnd(node, how, asked),
        }),
      );
    }
  }

  #addressFlags(number: number): string[] {
    if (this.#network === undefined) {
      return ['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0'];
    }
    const address = this.#network.address(number);
    return [
      ...['--listen', `/ip4/${address}/tcp/${ports.peer}`],
      ...['--http', `${address}:${ports.http}`, '--allow-insecure-http'],
    ];
  }

  #onEnd(node: NodeProcess, how: string, asked: boolean): void {
    this.onEnd();
    if (asked) return;
    const last = node.tail().split('\n').at(-1) ?? '';
    this.unexpectedEnds.push({
      node: node.name,
      atMs: this.#settings.sinceStartMs(),
      how: `${how}; ${last}`,
    });
  }

  node(number: number): NodeProcess {
    return this.nodes[number - 1]!;
  }

  /** A join token of any node that gives one. */
  async joinToken(): Promise<string> {
    let why = 'no node runs';
    const ask = async (node: NodeProcess): Promise<string | undefined> => {
      try {
        const { status, body } = await this.call(node, '/v1/cluster/join-token', { body: {} });
        if (status === 200) return (body as { token: string }).token;
        why = JSON.stringify(body);
      } catch (error) {
        why = String(error);
      }
      return undefined;
    };
    let turn = 0;
    const token = await until(
      () => {
        const awake = this.nodes.filter(node => node.awake);
        const node = awake[turn++ % Math.max(1, awake.length)];
        return node === undefined ? undefined : ask(node);
      },
      { limitMs: tokenMs, pollMs: 200, signal: this.#settings.signal },
    );
    if (token === undefined) throw new Error(`no node gives a join token: ${why}`);
    return token;
  }

  call(node: ClusterNode, path: string, options: { body?: unknown; limitMs?: number } = {}) {
    return callNode(node.address, this.#token, path, options);
  }

  events(node: ClusterNode, from: EventsFrom): Promise<Response> {
    return openEvents(node.address, this.#token, from);
  }

  async #cli(args: readonly string[]): Promise<void> {
    const { command, args: entry } = this.#program;
    await run(command, [...entry, ...args], {
      env: plainEnv(join(this.#dir, 'config')),
      timeout: wholeMs,
    });
  }

  /** Until every shard is replicated as it should be, and led from its part of the nodes. */
  async #untilWhole(): Promise<boolean> {
    const { scenario, signal } = this.#settings;
    const isWhole = async (): Promise<boolean> => {
      try {
        const { body } = await this.call(this.nodes[0]!, '/v1/cluster/health');
        const health = body as { ok: boolean; nodesUp: number; shardsGrowing: number };
        return health.ok && health.nodesUp >= scenario.nodes && health.shardsGrowing === 0;
      } catch {
        // Not in time, on a machine that is busy: asked again.
        return false;
      }
    };
    const whole = await until(isWhole, { limitMs: wholeMs, pollMs: 200, signal });
    return whole === true;
  }

  /**
   * Ends every process, `inOrder` or at once, and takes away everything; resolves with what was
   * left after that.
   */
  async end(inOrder: boolean, say: (text: string) => void): Promise<string[]> {
    if (inOrder) say('taking the cluster down');
    await Promise.all(this.nodes.filter(node => node.alive).map(node => node.resume()));
    const endNode = (node: NodeProcess) => (inOrder ? this.#endNode(node) : node.kill());
    await Promise.all(this.nodes.map(endNode));
    await Promise.all(this.nodes.map(node => node.killSupervisor()));
    await until(() => processesWritingTo(this.#dir).length === 0, { limitMs: goneMs });
    const left = processesWritingTo(this.#dir);
    const told = left.map(describeProcess);
    for (const pid of left) killHard(pid);
    await this.#network?.remove();
    for (const dir of this.#mounted) {
      await unmountSmallDisk(dir).catch((error: unknown) => told.push(`${dir}: ${String(error)}`));
    }
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 3 });
    return told;
  }

  async #endNode(node: NodeProcess): Promise<void> {
    if (!node.alive) return;
    node.expectEnd();
    try {
      await this.call(node, '/v1/nodes/self/stop', { body: { endTasks: true }, limitMs: 5_000 });
      if (await node.untilEnded(goneMs)) return;
    } catch {
      // It does not answer: then it is ended the hard way.
    }
    await node.kill();
  }
}
