/**
 * A network of its own for the nodes of a run: a namespace with an address for each, and the switch
 * between them, in user space. The machine itself is host 0, which no fault touches, so that
 * clients reach every node all the time. Needs root, TUN, Perl, iproute2 and util-linux.
 *
 * Nothing outlives this process, however it ends: a namespace lives as long as a `cat` on a pipe of
 * ours and what runs inside of it, the devices as long as the switch.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { type LinkFault, linkLine, linkRules } from './links.ts';
import { switchScript } from './switch-script.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const stepMs = 10_000;
const mtu = '9000';

export interface SwitchCounts {
  readonly forwarded: number;
  readonly dropped: number;
  readonly doubled: number;
}

export class Network {
  readonly #nodes: number;
  readonly #subnet: string;
  readonly #holders: ChildProcess[] = [];
  #switch: ChildProcess | undefined;
  #said = '';
  #error = '';
  #counts: SwitchCounts = { forwarded: 0, dropped: 0, doubled: 0 };

  private constructor(nodes: number) {
    this.#nodes = nodes;
    this.#subnet = `10.231.${process.pid % 250}`;
  }

  /** Hosts 1 to `nodes`, connected. Rejects with the command that failed. */
  static async make(nodes: number, seed: number): Promise<Network> {
    const network = new Network(nodes);
    try {
      await network.#connect(seed);
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  async #connect(seed: number): Promise<void> {
    const prefix = `tsc${process.pid % 100_000}`;
    const names = Array.from({ length: this.#nodes + 1 }, (_, host) => `${prefix}h${host}`);
    const perl = spawn('perl', ['-e', switchScript, String(seed), ...names], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#switch = perl;
    perl.stdout.on('data', (chunk: Buffer) => this.#onSaid(chunk.toString('latin1')));
    perl.stderr.on('data', (chunk: Buffer) => (this.#error += chunk.toString('latin1')));
    perl.on('error', error => (this.#error += error.message));
    // A switch that ended is told by the next order that it does not answer.
    perl.stdin.on('error', () => undefined);
    await this.#untilSaid(/ready\n/, 'make its devices');
    const host0 = names[0]!;
    await run('ip', ['addr', 'add', `${this.#subnet}.254/24`, 'dev', host0]);
    await run('ip', ['link', 'set', host0, 'mtu', mtu, 'up']);
    for (let host = 1; host <= this.#nodes; host++) await this.#addHost(host, names[host]!);
  }

  async #addHost(host: number, device: string): Promise<void> {
    const holder = spawn('unshare', ['--net', 'cat'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    this.#holders.push(holder);
    let why = '';
    holder.stderr.on('data', (chunk: Buffer) => (why += chunk.toString()));
    holder.on('error', error => (why += error.message));
    holder.stdin.on('error', () => undefined);
    const own = readlinkSync('/proc/self/ns/net');
    const made = await until(
      () => {
        if (why !== '' || holder.pid === undefined) throw new Error(`no namespace: ${why}`);
        return readlinkSync(`/proc/${holder.pid}/ns/net`) !== own;
      },
      { limitMs: stepMs, pollMs: 5 },
    );
    if (made !== true) throw new Error('unshare does not make a network namespace');
    await run('ip', ['link', 'set', device, 'netns', String(holder.pid)]);
    const [enter = '', ...rest] = [...this.prefix(host), 'ip'];
    await run(enter, [...rest, 'addr', 'add', `${this.address(host)}/24`, 'dev', device]);
    await run(enter, [...rest, 'link', 'set', device, 'mtu', mtu, 'up']);
    await run(enter, [...rest, 'link', 'set', 'lo', 'up']);
  }

  address(host: number): string {
    return `${this.#subnet}.${host}`;
  }

  /** In front of a command that is to run on this host. */
  prefix(host: number): string[] {
    return ['nsenter', `--net=/proc/${this.#holders[host - 1]!.pid}/ns/net`];
  }

  /** From now on the links suffer these faults and no others. */
  async apply(faults: readonly LinkFault[]): Promise<SwitchCounts> {
    const lines = linkRules(this.#nodes, faults).map(({ from, to, rule }) =>
      linkLine(from, to, rule),
    );
    this.#said = '';
    this.#switch?.stdin?.write(`${['clear', ...lines, 'sync'].join('\n')}\n`);
    await this.#untilSaid(/ok [^\n]*\n/, 'change its links');
    return this.#counts;
  }

  #onSaid(text: string): void {
    this.#said += text;
    const counts = /ok (\d+) (\d+) (\d+)/.exec(this.#said);
    if (counts === null) return;
    const [forwarded = 0, dropped = 0, doubled = 0] = counts.slice(1).map(Number);
    this.#counts = { forwarded, dropped, doubled };
  }

  async #untilSaid(pattern: RegExp, what: string): Promise<void> {
    const said = await until(() => pattern.test(this.#said) || this.#error !== '', {
      limitMs: stepMs,
      pollMs: 5,
    });
    if (this.#error !== '') throw new Error(`the switch: ${this.#error.trim()}`);
    if (said !== true) throw new Error(`the switch did not ${what} within ${stepMs} ms`);
  }

  /** Ends the switch and lets the namespaces go. */
  async remove(): Promise<void> {
    const all = [this.#switch, ...this.#holders].filter(child => child !== undefined);
    await Promise.all(all.map(endChild));
  }
}

/** Closes its input; kills it where that is not enough. */
async function endChild(child: ChildProcess): Promise<void> {
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (child.pid === undefined || gone()) return;
  child.stdin?.end();
  if ((await until(gone, { limitMs: 1_000, pollMs: 5 })) === true) return;
  child.kill('SIGKILL');
  await until(gone, { limitMs: 1_000, pollMs: 5 });
}

/** Why there can be no such network here, or `undefined`: found out by making one. */
export async function networkMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    const network = await Network.make(2, 1);
    try {
      const [enter = '', ...rest] = network.prefix(1);
      // Through the switch from one host to another: a refused connection is an answer.
      const port = '/dev/tcp';
      const probe = `exec 3<>${port}/${network.address(2)}/9`;
      const { stderr } = await run(enter, [...rest, 'bash', '-c', `${probe} || true`], {
        timeout: stepMs,
      });
      if (!/refused/i.test(stderr)) return `no packet passes the switch: ${stderr.trim()}`;
    } finally {
      await network.remove();
    }
    return undefined;
  } catch (error) {
    return `a network of namespaces cannot be made: ${String((error as Error).message)}`;
  }
}
