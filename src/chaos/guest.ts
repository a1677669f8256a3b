/**
 * A guest: a machine of its own under QEMU, with a kernel, a page cache and disks, that is switched
 * on, asked for things over a serial line, and loses its power when QEMU is killed: with it goes
 * the memory of the guest and, by `ForgetfulDisk`, what its disk was not told to flush.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { uptimeS } from './processes.ts';
import { until } from './until.ts';

const bootMs = 180_000;
const answerMs = 60_000;
const goneMs = 10_000;
const consoleLines = 8;

/** How QEMU runs the instructions of a guest. */
export type Accelerator = 'kvm' | 'tcg';

export interface GuestSettings {
  readonly qemu: string;
  readonly accelerator: Accelerator;
  readonly kernel: string;
  readonly image: string;
  readonly memoryMiB: number;
  /** What the kernel says goes here, boot after boot. */
  readonly consoleFile: string;
  /** Options of `-drive`. */
  readonly disks: readonly string[];
  /** Ports of this machine, on loopback, and those of the guest to which they lead. */
  readonly forwards: readonly { readonly host: number; readonly to: string }[];
  /** In front of QEMU. */
  readonly prefix: readonly string[];
  /** Each line of the guest that answers nothing that was asked. */
  readonly onLine: (line: string) => void;
  /** QEMU has ended; whether that was asked for. */
  readonly onEnd: (how: string, asked: boolean) => void;
}

interface GuestAnswer {
  readonly match: RegExpExecArray;
  readonly lines: readonly string[];
}

/** A path as a part of an option of QEMU, where a comma ends it. */
export const inOption = (path: string): string => path.replaceAll(',', ',,');

/** The command that boots it for the `boot`th time. */
export function qemuCommand(settings: GuestSettings, boot: number): string[] {
  const { accelerator, kernel, image, memoryMiB, consoleFile, disks, forwards } = settings;
  // No guard against what other guests might read: under emulation it costs much of the time.
  const speed = 'mitigations=off random.trust_cpu=on';
  // A processor that the machine keeps waiting at the start fails the trial of the timer: a panic.
  const patience = 'no_timer_check';
  const kernelWords = `console=ttyS0 quiet panic=-1 ${speed} ${patience} chaos_boot=${boot}`;
  const forward = forwards.map(({ host, to }) => `,hostfwd=tcp:127.0.0.1:${host}-${to}`).join('');
  return [
    ...settings.prefix,
    settings.qemu,
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-accel', accelerator === 'tcg' ? 'tcg,thread=multi' : 'kvm'],
    ...['-cpu', 'max', '-smp', '2', '-m', String(memoryMiB)],
    ...['-kernel', kernel, '-initrd', image, '-append', kernelWords],
    ...[
      '-chardev',
      `file,id=console,path=${inOption(consoleFile)},append=on`,
      '-serial',
      'chardev:console',
    ],
    ...['-chardev', 'stdio,id=agent,signal=off', '-serial', 'chardev:agent'],
    // The guest reaches nobody: only what is forwarded comes in.
    ...['-netdev', `user,id=net,restrict=on,ipv6=off${forward}`],
    ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ...disks.flatMap(disk => ['-drive', disk]),
  ];
}

export class Guest {
  readonly #settings: GuestSettings;
  boots = 0;
  /** Machine's monotonic clock minus the guest's, by boot, seconds. */
  readonly clockOffsetsS = new Map<number, number>();
  #child: ChildProcess | undefined;
  #asked = false;
  #rest = '';
  #errors = '';
  #asking: Promise<void> = Promise.resolve();
  /** Lines since the last question. */
  #answers: string[] = [];

  constructor(settings: GuestSettings) {
    this.#settings = settings;
  }

  get alive(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Switches it on; resolves with how long it took to answer, milliseconds. */
  async boot(signal?: AbortSignal, limitMs = bootMs): Promise<number> {
    const beganMs = performance.now();
    const [command = '', ...args] = qemuCommand(this.#settings, ++this.boots);
    this.#asked = false;
    this.#rest = this.#errors = '';
    this.#answers = [];
    // Should QEMU fail an assertion, what it leaves goes with the directory of the run.
    const cwd = dirname(this.#settings.consoleFile);
    const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    // What comes late is of a machine that is not there any more.
    child.stdout.on('data', (chunk: Buffer) => {
      if (child === this.#child && this.alive) this.#receive(chunk.toString('latin1'));
    });
    child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString('latin1')));
    child.once('error', error => (this.#errors += error.message));
    child.once('exit', (code, name) =>
      this.#settings.onEnd(`${name ?? `exit code ${code}`} ${this.#errors.trim()}`, this.#asked),
    );
    const up = await this.#answer(/^up(?: ([\d.]+))?$/, { limitMs, signal });
    if (up === undefined) throw new Error(`the guest does not boot: ${this.#complaint()}`);
    this.clockOffsetsS.set(this.boots, uptimeS() - Number(up[1] ?? 0));
    return performance.now() - beganMs;
  }

  #complaint(): string {
    if (this.#errors.trim() !== '') return this.#errors.trim();
    const { consoleFile } = this.#settings;
    const said = existsSync(consoleFile) ? readFileSync(consoleFile, 'latin1').trimEnd() : '';
    return said.split('\n').slice(-consoleLines).join('\n') || 'it says nothing';
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (/^node \d+ /.test(line)) this.#settings.onLine(line);
      else this.#answers.push(line);
    }
  }

  async #answer(
    pattern: RegExp,
    { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<RegExpExecArray | undefined> {
    const find = (): RegExpExecArray | undefined => {
      for (const line of this.#answers) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      return undefined;
    };
    const found = await until(() => find() ?? (this.alive ? undefined : 'gone'), {
      ...{ limitMs, pollMs: 20, signal },
    });
    return found === 'gone' ? undefined : found;
  }

  /** Sends an order that nothing answers. */
  send(order: string): void {
    if (!this.alive) throw new Error('the guest is off');
    this.#child!.stdin!.write(`${order}\n`);
  }

  /** Sends an order and waits for what answers it; the lines before that come along. */
  async ask(order: string, pattern: RegExp, signal?: AbortSignal): Promise<GuestAnswer> {
    // One after the other: lines do not say whose answer they are.
    const turn = this.#asking.then(() => this.#askNow(order, pattern, signal));
    this.#asking = turn.then(
      () => undefined,
      () => undefined /* Told to who asked. */,
    );
    return turn;
  }

  async #askNow(order: string, pattern: RegExp, signal?: AbortSignal): Promise<GuestAnswer> {
    this.#answers = [];
    this.send(order);
    const match = await this.#answer(pattern, { limitMs: answerMs, signal });
    if (match === undefined) {
      throw new Error(`the guest does not answer “${order}”: ${this.#complaint()}`);
    }
    return { match, lines: this.#answers };
  }

  /** Ends QEMU at once, and with it the guest and all that was only in its memory. */
  async cutPower(): Promise<void> {
    this.#asked = true;
    const child = this.#child;
    if (child === undefined || !this.alive) return;
    child.kill('SIGKILL');
    const gone = await until(() => !this.alive, { limitMs: goneMs, pollMs: 2 });
    if (gone !== true) throw new Error('QEMU does not end');
  }

  /** Switches it off in order; resolves with whether it went. */
  async off(limitMs: number, signal?: AbortSignal): Promise<boolean> {
    this.#asked = true;
    if (this.alive) this.send('off');
    return (await until(() => !this.alive, { limitMs, signal })) === true;
  }
}
