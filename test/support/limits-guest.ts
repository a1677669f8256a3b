/**
 * A guest in which the built program keeps attempts to their limits, by cgroup2 with controllers.
 * Its nodes are `limits-in-guest.ts`, each in a control group of its own and as a user of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deathGuard } from '../../src/chaos/death-guard.ts';
import { Guest } from '../../src/chaos/guest.ts';
import type { GuestMachine } from '../../src/chaos/guest-ability.ts';
import { findProgram } from '../../src/chaos/guest-files.ts';
import { buildNodeImage } from '../../src/chaos/guest-image.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { programEntry } from './program.ts';
import { until } from './until.ts';

/** It is kept in memory whole, and has to hold 4,096 processes. */
const memoryMiB = 3_072;
const bootMs = 240_000;
const runMs = 900_000;
const inside = new URL('./limits-in-guest.ts', import.meta.url).pathname;
const root = '/sys/fs/cgroup';
const unit = (number: number): string => `tsched-${number}.service`;
/** An ordinary user; the guest has a name for root alone. */
const user = 1_000;

/** What is delegated with a group, by the kernel's own list (/sys/kernel/cgroup/delegate). */
const delegated = ['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'];

interface Place {
  /** By which the agent of the guest knows it. */
  readonly number: number;
  readonly user: boolean;
  /** Its group, below that of all. */
  readonly group: string;
  /** A group that the user is given, with all controllers, as a service manager does it. */
  readonly given: string;
  /** Below which attempts are to have their groups. */
  readonly parent: string;
  readonly starter: StarterKind;
}

const inUnit = (number: number, group: string, given: string, user = true): Place => {
  const parent = `${root}/${given === '' ? group : given}`;
  return { number, user, group, given, parent, starter: 'perl' };
};

/** Where nodes run in the guest. */
export const places = {
  /** As root in the group of all, which alone may have processes beside groups with controllers. */
  root: { number: 1, user: false, group: '', given: '', parent: root, starter: 'perl' },
  /** `Delegate=cpu memory pids`, `DelegateSubgroup=node`; attempts are started the other way. */
  subgroup: { ...inUnit(2, `${unit(2)}/node`, unit(2)), starter: 'node' },
  /** `Delegate=cpu memory pids` alone: the node itself is in the group that it was given. */
  unit: inUnit(3, unit(3), unit(3)),
  /** A unit of which the user was given nothing. */
  stranger: inUnit(4, unit(4), ''),
  /** As `unit`, as root: no right helps against the processes in its group. */
  rootUnit: inUnit(5, unit(5), '', false),
} as const satisfies Readonly<Record<string, Place>>;

type Looks = readonly string[];

function startLines(command: string, at: Place, looks: Looks): string {
  const dataDir = `/run/worker-${at.number}`;
  const { group, given } = at;
  const program = dirname(dirname(programEntry));
  const words = [command, inside, program, dataDir, at.parent, at.starter, ...looks];
  // Its full path: the guest's shell has a program of that name built in, which can less.
  const become = `${findProgram('setpriv')} --reuid ${user} --regid ${user} --clear-groups`;
  const as = at.user ? `${become} ` : '';
  const controllers = `echo "+cpu +memory +pids" >${root}/cgroup.subtree_control`;
  const give = ['.', ...delegated].map(name => `${root}/${given}/${name}`);
  return [
    `${at.number})`,
    `mkdir -m 700 ${dataDir}; chown ${at.user ? user : 0} ${dataDir}`,
    ...(group === '' ? [] : [controllers, `mkdir -p ${root}/${group}`]),
    ...(given === '' ? [] : [`chown ${user} ${give.join(' ')}`]),
    ...(given === '' || given === group ? [] : [`chown -R ${user} ${root}/${group}`]),
    ...(group === '' ? [] : [`echo $$ >${root}/${group}/cgroup.procs`]),
    `exec ${as}${words.join(' ')} ;;`,
  ].join('\n');
}

const script = (command: string, looks: Readonly<Record<keyof typeof places, Looks>>): string => {
  const cases = Object.entries(places).map(([name, at]) =>
    startLines(command, at, looks[name as keyof typeof places]),
  );
  return `case $1 in\n${cases.join('\n')}\nesac\n`;
};

/** What a look has printed. */
export type Told = Readonly<Record<string, unknown>>;

export class LimitsGuest {
  readonly #dir: string;
  readonly #guest: Guest;
  /** By number of a node. */
  readonly #lines = new Map<number, string[]>();
  #end: string | undefined;

  private constructor(machine: GuestMachine, dir: string, prefix: readonly string[]) {
    const { tools, accelerator } = machine;
    this.#dir = dir;
    this.#guest = new Guest({
      ...{ qemu: tools.qemu, accelerator, kernel: tools.kernel.image, memoryMiB, prefix },
      ...{ image: join(dir, 'image'), consoleFile: join(dir, 'console') },
      ...{ disks: [], forwards: [] },
      onLine: line => this.#onLine(line),
      onEnd: how => (this.#end = how),
    });
  }

  static async boot(
    machine: GuestMachine,
    looks: Readonly<Record<keyof typeof places, Looks>>,
  ): Promise<LimitsGuest> {
    const dir = await mkdtemp(join(tmpdir(), 'tsched-limits-'));
    try {
      await buildNodeImage(machine.tools, join(dir, 'image'), {
        program: [process.execPath, programEntry],
        files: [inside],
        script: ([command = '']) => script(command, looks),
      });
      const guest = new LimitsGuest(machine, dir, await deathGuard());
      await guest.#guest.boot(undefined, bootMs);
      return guest;
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  #onLine(line: string): void {
    const [, number, said = ''] = /^node (\d+) (.*)$/.exec(line) ?? [];
    const lines = this.#lines.get(Number(number)) ?? [];
    this.#lines.set(Number(number), [...lines, said]);
  }

  /** Starts a node and waits until it has looked at everything; what it said, by look. */
  async run({ number }: { readonly number: number }): Promise<ReadonlyMap<string, Told>> {
    this.#guest.send(`start ${number}`);
    const lines = (): string[] => this.#lines.get(number) ?? [];
    await until(
      `the end of node ${number}, which said ${JSON.stringify(lines())}`,
      () => this.#end !== undefined || lines().at(-1)?.startsWith('exit ') === true,
      runMs,
    );
    if (this.#end !== undefined) throw new Error(`the guest has ended: ${this.#end}`);
    if (lines().at(-1) !== 'exit 0') {
      const { lines: tail } = await this.#guest.ask(`tail ${number}`, /^tailed$/);
      throw new Error(`node ${number}: ${[...lines(), ...tail].join('\n')}`);
    }
    const told = lines()
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Told & { readonly look: string });
    return new Map(told.map(one => [one.look, one]));
  }

  async end(): Promise<void> {
    await this.#guest.cutPower();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
