/**
 * A small network for nodes on this machine: a bridge, and a network namespace with an address of
 * its own for each of them, so that two of them can be cut off from each other without a word.
 * Needs root and iproute2. A cut is a wrong link-layer address on both sides: packets leave and
 * nobody takes them, as with a broken switch; nothing is refused.
 */
import { execFileSync } from 'node:child_process';

const nobody = '02:00:00:00:00:fe';

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Why no such network can be made here, or `undefined`. */
export function lanMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `tsprobe${process.pid}`;
  try {
    run('ip', 'netns', 'add', name);
    try {
      run('nsenter', `--net=/run/netns/${name}`, 'true');
      run('ip', 'link', 'add', `${name}b`.slice(-15), 'type', 'bridge');
      run('ip', 'link', 'del', `${name}b`.slice(-15));
    } finally {
      run('ip', 'netns', 'del', name);
    }
    return undefined;
  } catch (error) {
    return `iproute2 or nsenter cannot make one here: ${String(error).split('\n', 1)[0]}`;
  }
}

export class Lan {
  readonly #prefix: string;
  readonly #subnet: string;
  readonly #hosts: number;

  /** A network of `hosts` hosts, numbered from 1. */
  constructor(hosts: number) {
    this.#hosts = hosts;
    this.#prefix = `ts${process.pid % 100_000}`;
    this.#subnet = `10.231.${process.pid % 250}`;
    run('ip', 'link', 'add', `${this.#prefix}b`, 'type', 'bridge');
    run('ip', 'addr', 'add', `${this.#subnet}.254/24`, 'dev', `${this.#prefix}b`);
    run('ip', 'link', 'set', `${this.#prefix}b`, 'up');
    for (let host = 1; host <= hosts; host++) this.#addHost(host);
  }

  #addHost(host: number): void {
    const space = this.#space(host);
    const outer = `${this.#prefix}v${host}`;
    run('ip', 'netns', 'add', space);
    run('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    run('ip', 'link', 'set', outer, 'master', `${this.#prefix}b`, 'up');
    run('ip', '-n', space, 'addr', 'add', `${this.address(host)}/24`, 'dev', 'eth0');
    run('ip', '-n', space, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', space, 'link', 'set', 'lo', 'up');
  }

  #space(host: number): string {
    return `${this.#prefix}h${host}`;
  }

  address(host: number): string {
    return `${this.#subnet}.${host}`;
  }

  /** In front of a command that is to run on this host. */
  prefix(host: number): string[] {
    return ['nsenter', `--net=/run/netns/${this.#space(host)}`];
  }

  /** From now on nothing passes between two hosts, either way. */
  cut(left: number, right: number): void {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      const entry = ['to', this.address(to), 'lladdr', nobody, 'dev', 'eth0', 'nud', 'permanent'];
      run('ip', '-n', this.#space(from), 'neigh', 'replace', ...entry);
    }
  }

  heal(left: number, right: number): void {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      run('ip', '-n', this.#space(from), 'neigh', 'del', this.address(to), 'dev', 'eth0');
    }
  }

  /** Removes everything. Processes on the hosts must have ended. */
  remove(): void {
    for (let host = 1; host <= this.#hosts; host++) run('ip', 'netns', 'del', this.#space(host));
    run('ip', 'link', 'del', `${this.#prefix}b`);
  }
}
