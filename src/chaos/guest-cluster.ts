/**
 * A cluster inside of a guest, so that the power of all of it can be cut at once: its page cache
 * and its processes go with QEMU, what its disk was not told to flush goes by `ForgetfulDisk`. What
 * attempts say of themselves is on a second disk, where a line is kept before its writer goes on.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findLacks } from './abilities.ts';
import { callNode, type EventsFrom, openEvents } from './calls.ts';
import type {
  Cluster,
  ClusterNode,
  ClusterSettings,
  ClusterSource,
  Power,
  TaskFiles,
} from './cluster.ts';
import { deathGuard } from './death-guard.ts';
import { type Draw, makeDraw } from './draw.ts';
import { ForgetfulDisk, sectorBytes } from './forgetful-disk.ts';
import { Guest, inOption } from './guest.ts';
import { findGuest, type GuestMachine } from './guest-ability.ts';
import { buildNodeImage, makeDisk, stageTruth } from './guest-image.ts';
import { GuestNode } from './guest-node.ts';
import { guestAddress, guestPaths, httpPort, markLines, nodeScript } from './guest-script.ts';
import type { UnexpectedEnd } from './history.ts';
import { NbdServer } from './nbd-server.ts';
import { type ProgramEntry, plainEnv } from './node-process.ts';
import { describeProcess, processesNaming } from './processes.ts';
import { pause, until } from './until.ts';

const run = promisify(execFile);
const mebibyte = 1024 * 1024;
const memoryMiB = 2_048;
const dataBytes = 1_024 * mebibyte;
const truthBytes = 64 * mebibyte;
const wholeMs = 240_000;
const initMs = 60_000;
const askMs = 20_000;
const offMs = 30_000;
const logTriesMax = 5;
const afterMarkMsMax = 2_000;

/** More CPUs and memory than there are, tasks being small; a disk that is small. */
const amounts = ['--cpu', '16', '--memory', '16GiB', '--ballast', '0', '--disk-reserve', '16MiB'];

/** Clusters in a guest made from this machine's files. */
export const guestClusters = (program: ProgramEntry): ClusterSource => ({
  findLacks: kinds => findLacks(kinds),
  prepare: async settings => {
    const machine = await findGuest();
    if (typeof machine === 'string') throw new Error(machine);
    const dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-'));
    return new GuestCluster({ ...settings, machine, program, dir });
  },
});

interface GuestClusterSettings extends ClusterSettings {
  readonly machine: GuestMachine;
  readonly program: ProgramEntry;
  readonly dir: string;
}

class GuestCluster implements Cluster {
  readonly shards: number;
  readonly lookEveryMs = 5_000;
  readonly retryEveryMs = 5_000;
  // A second of work for each second that the cluster is away, all of it repeated by its clients,
  // would be more than an emulated machine can refuse, let alone take.
  readonly openMax = 8;
  readonly nodes: GuestNode[] = [];
  readonly unexpectedEnds: UnexpectedEnd[] = [];
  readonly links = undefined;
  readonly traits = { attached: false, unseen: [], notes: [] };
  readonly runKey: string;
  readonly #settings: GuestClusterSettings;
  readonly #draw: Draw;
  #guest: Guest | undefined;
  #disk: ForgetfulDisk | undefined;
  #server: NbdServer | undefined;
  #token = '';
  #cuts = 0;
  onEnd: () => void = () => undefined;

  constructor(settings: GuestClusterSettings) {
    this.#settings = settings;
    this.shards = settings.scenario.shards;
    this.runKey = `chaos-${settings.seed}`;
    this.#draw = makeDraw(settings.seed, 4);
  }

  #path(name: string): string {
    return join(this.#settings.dir, name);
  }

  async begin(say: (text: string) => void): Promise<void> {
    const { machine, program, scenario, signal } = this.#settings;
    say(`making a guest for ${scenario.nodes} nodes`);
    await this.#makeDisks();
    const image = this.#path('image');
    const flags = [...amounts, ...scenario.flags];
    await buildNodeImage(machine.tools, image, {
      program: [program.command, ...program.args],
      script: command => nodeScript(command, flags),
    });
    const ports = await freePorts(scenario.nodes);
    const guest = await this.#makeGuest(image, ports);
    this.#guest = guest;
    const tookMs = await guest.boot(signal);
    say(`a guest (${machine.accelerator}) is up after ${inSeconds(tookMs)}`);
    for (const [place, port] of ports.entries()) this.#addNode(guest, place + 1, port);
    const [first, ...others] = this.nodes;
    await first!.launch();
    await this.#untilReady(first!);
    for (const node of others) await node.launch(['--join', await this.joinToken()]);
    for (const node of others) await this.#untilReady(node);
    say(`${scenario.nodes} nodes are up in the guest`);
    if (!(await this.#untilWhole())) throw new Error('the cluster does not become whole');
  }

  #addNode(guest: Guest, number: number, port: number): void {
    this.nodes.push(
      new GuestNode({
        ...{ number, address: `127.0.0.1:${port}` },
        start: token => guest.send(`start ${number} ${token}`),
        readTail: () => this.#readTail(number),
        onEnd: (node, how, asked) => this.#onNodeEnd(node, how, asked),
      }),
    );
  }

  /** The first node's directory is made here: the token of its cluster need not come out. */
  async #makeDisks(): Promise<void> {
    const { machine, program, scenario, dir } = this.#settings;
    const content = this.#path('data.d');
    await mkdir(content);
    const first = join(content, 'n1');
    const words = ['cluster', 'init', '--data-dir', first, '--shards', String(scenario.shards)];
    await run(program.command, [...program.args, ...words], {
      env: plainEnv(join(dir, 'config')),
      timeout: initMs,
    });
    this.#token = (await readFile(join(first, 'admin.token'), 'utf8')).trim();
    await makeDisk(machine.tools, this.#path('data'), { from: content, bytes: dataBytes });
    await stageTruth(this.#path('truth.d'));
    const truth = { from: this.#path('truth.d'), bytes: truthBytes };
    await makeDisk(machine.tools, this.#path('truth'), truth);
    this.#disk = new ForgetfulDisk(this.#path('data'));
    this.#server = await NbdServer.listen(this.#disk, this.#path('data.nbd'));
  }

  async #makeGuest(image: string, ports: readonly number[]): Promise<Guest> {
    const { tools, accelerator } = this.#settings.machine;
    return new Guest({
      ...{ qemu: tools.qemu, accelerator, kernel: tools.kernel.image, image, memoryMiB },
      consoleFile: this.#path('console.log'),
      disks: [
        // The guest sees a disk with a cache that is not safe, and flushes it.
        `if=virtio,format=raw,cache=writeback,file=nbd:unix:${inOption(this.#path('data.nbd'))}`,
        `if=virtio,format=raw,cache=writethrough,file=${inOption(this.#path('truth'))}`,
      ],
      forwards: ports.map((host, place) => ({
        host,
        to: `${guestAddress}:${httpPort(place + 1)}`,
      })),
      prefix: await deathGuard(),
      onLine: line => this.#onLine(line),
      onEnd: (how, asked) => this.#onGuestEnd(how, asked),
    });
  }

  get #running(): Guest {
    if (this.#guest === undefined) throw new Error('the guest was never made');
    return this.#guest;
  }

  #onLine(line: string): void {
    const [, number, said] = /^node (\d+) (.*)$/.exec(line) ?? [];
    this.nodes[Number(number) - 1]?.onLine(said ?? '');
  }

  #onGuestEnd(how: string, asked: boolean): void {
    if (!asked) this.#noteEnd('the guest', how);
    for (const node of this.nodes) {
      // The end of the guest is told once.
      node.expectEnd();
      node.onPowerLost();
    }
  }

  #onNodeEnd(node: GuestNode, how: string, asked: boolean): void {
    this.onEnd();
    if (!asked) this.#noteEnd(node.name, how);
  }

  #noteEnd(node: string, how: string): void {
    this.unexpectedEnds.push({ node, atMs: this.#settings.sinceStartMs(), how });
  }

  async #untilReady(node: GuestNode): Promise<void> {
    const state = await node.untilReady(this.#settings.signal);
    if (state === 'ready') return;
    throw new Error(`${node.name} does not come up (${state}):\n${node.tail()}`);
  }

  async #readTail(number: number): Promise<string[]> {
    if (!this.#running.alive) return ['the guest is off'];
    const { lines } = await this.#running.ask(`tail ${number}`, /^tailed$/);
    return lines.filter(line => line.startsWith('tail ')).map(line => line.slice(5));
  }

  node(number: number): GuestNode {
    return this.nodes[number - 1]!;
  }

  call(node: ClusterNode, path: string, options: { body?: unknown; limitMs?: number } = {}) {
    return callNode(node.address, this.#token, path, options);
  }

  events(node: ClusterNode, from: EventsFrom): Promise<Response> {
    return openEvents(node.address, this.#token, from);
  }

  async joinToken(): Promise<string> {
    let why = '';
    const ask = async (): Promise<string | undefined> => {
      try {
        const options = { body: {}, limitMs: askMs };
        const { status, body } = await this.call(this.nodes[0]!, '/v1/cluster/join-token', options);
        if (status === 200) return (body as { token: string }).token;
        why = JSON.stringify(body);
      } catch (error) {
        why = String(error);
      }
      return undefined;
    };
    const patience = { limitMs: wholeMs, pollMs: 500, signal: this.#settings.signal };
    const token = await until(ask, patience);
    if (token === undefined) throw new Error(`n1 gives no join token: ${why}`);
    return token;
  }

  async #untilWhole(): Promise<boolean> {
    const { scenario, signal } = this.#settings;
    const isWhole = async (): Promise<boolean> => {
      try {
        const options = { limitMs: askMs };
        const { body } = await this.call(this.nodes[0]!, '/v1/cluster/health', options);
        const health = body as { ok: boolean; nodesUp: number; shardsGrowing: number };
        return health.ok && health.nodesUp >= scenario.nodes && health.shardsGrowing === 0;
      } catch {
        // Not in time: asked again.
        return false;
      }
    };
    return (await until(isWhole, { limitMs: wholeMs, pollMs: 500, signal })) === true;
  }

  /** They came with the image. */
  async layTaskFiles(): Promise<TaskFiles> {
    return { command: ['/bin/sh', guestPaths.task], log: guestPaths.log };
  }

  /** With each boot the machine's clock at which that of the guest began. */
  async readTaskLog(): Promise<string> {
    const guest = this.#running;
    for (let tries = 0; tries < logTriesMax; tries++) {
      const { match, lines } = await guest.ask('log', /^logged (\d+)$/, this.#settings.signal);
      const own = lines.filter(line => line.startsWith('log ')).map(line => line.slice(4));
      // Another line may have come in between: then it is asked for again.
      if (own.length !== Number(match[1])) continue;
      return own
        .map(line => line.replace(/^boot (\d+)$/, (_, boot: string) => this.#bootLine(boot)))
        .join('\n');
    }
    throw new Error('the guest does not tell what attempts have written');
  }

  #bootLine(boot: string): string {
    return `boot ${boot} ${this.#running.clockOffsetsS.get(Number(boot)) ?? 0}`;
  }

  readonly power: Power = {
    cut: tell => this.#cutPower(tell),
    restore: tell => this.#restorePower(tell),
  };

  async #cutPower(tell: (what: string) => void): Promise<void> {
    const { signal } = this.#settings;
    this.#cuts++;
    await this.#running.ask(`mark ${this.#cuts}`, /^marked$/, signal);
    // The mark made the disk flush: let there be something again that it would lose.
    await pause(this.#draw(afterMarkMsMax), signal);
    const flushes = this.#disk!.flushes;
    await this.#running.cutPower();
    const { lost, kept } = this.#disk!.cutPower(this.#draw);
    const size = (sectors: number): string => `${Math.round((sectors * sectorBytes) / 1024)} KiB`;
    tell(
      `the disk had ${size(lost + kept)} that were not flushed: lost ${size(lost)}, kept ` +
        `${size(kept)}, after ${flushes} flushes`,
    );
  }

  async #restorePower(tell: (what: string) => void): Promise<void> {
    const { signal } = this.#settings;
    const tookMs = await this.#running.boot(signal);
    const { match } = await this.#running.ask(`marks ${this.#cuts}`, /^marks (\d+) (\d+)$/, signal);
    const [synced, unsynced] = [Number(match[1]), Number(match[2])];
    tell(
      `up again after ${inSeconds(tookMs)}; of a file that was synced before the cut ` +
        `${synced} of ${markLines} lines were there, of one that was not ${unsynced}`,
    );
    if (synced !== markLines) throw new Error('the guest lost a file that it had synced');
    if (unsynced === markLines) throw new Error('the cut lost nothing, and so it shows nothing');
  }

  async end(inOrder: boolean): Promise<string[]> {
    const guest = this.#guest;
    if (guest?.alive === true && inOrder) await this.#stopNodes(guest);
    await guest?.cutPower();
    await this.#server?.close();
    this.#disk?.close();
    const told = processesNaming(this.#settings.dir).map(describeProcess);
    await rm(this.#settings.dir, { recursive: true, force: true, maxRetries: 3 });
    return told;
  }

  /** As a machine is switched off; what does not go in time loses its power. */
  async #stopNodes(guest: Guest): Promise<void> {
    const stop = async (node: GuestNode): Promise<void> => {
      node.expectEnd();
      try {
        const options = { body: { endTasks: true }, limitMs: askMs };
        await this.call(node, '/v1/nodes/self/stop', options);
        await until(() => !node.alive, { limitMs: offMs });
      } catch {
        // It does not answer: it goes with the guest.
      }
    };
    await Promise.all(this.nodes.map(stop));
    await guest.off(offMs);
  }
}

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** Ports of loopback that nobody has at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = servers.map(
    server =>
      new Promise<number>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : 0);
        });
      }),
  );
  const found = await Promise.all(ports);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return found;
}
