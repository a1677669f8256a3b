/**
 * One node inside of a guest: started by an order to the guest's agent, followed by what the agent
 * tells of it. It goes with the power; nothing is done to it alone.
 */
import { SeenNode, type SeenNodeSettings } from './seen-node.ts';
import { until } from './until.ts';

/**
 * A guest whose instructions are emulated is some twenty times slower than its machine: three nodes
 * at once took 180 s, and on a busy host more than 240.
 */
const readyMs = 480_000;

export interface GuestNodeSettings extends SeenNodeSettings {
  /** Starts it inside; the token is for one that joins. */
  readonly start: (token: string) => void;
  /** The last lines of its log. */
  readonly readTail: () => Promise<readonly string[]>;
  readonly onEnd: (node: GuestNode, how: string, asked: boolean) => void;
}

export class GuestNode extends SeenNode {
  override readonly breakable = true;
  protected override readonly unbreakable = 'nothing is done to single nodes of a guest';
  readonly #settings: GuestNodeSettings;
  #alive = false;
  #asked = false;
  #exitCode = -1;
  #tail = '(its log is inside of the guest)';

  constructor(settings: GuestNodeSettings) {
    super({ ...settings, address: '' });
    this.#settings = settings;
  }

  override get alive(): boolean {
    return this.#alive;
  }

  override async launch([, token = '']: readonly string[] = []): Promise<void> {
    this.#settings.start(token);
    this.#asked = false;
    this.address = '';
    this.#alive = true;
  }

  /** A line of its standard output, or how it ended. */
  onLine(line: string): void {
    if (line.startsWith('ready ')) this.address = this.#settings.address;
    const code = /^exit (\d+)$/.exec(line)?.[1];
    if (code === undefined) return;
    this.#exitCode = Number(code);
    this.#end(`exit code ${code}`);
  }

  /** The guest that it was in is gone. */
  onPowerLost(): void {
    if (this.#alive) this.#end('the power was cut');
  }

  #end(how: string): void {
    this.#alive = false;
    this.address = '';
    this.howEnded = how;
    this.#settings.onEnd(this, how, this.#asked);
  }

  override async untilReady(signal?: AbortSignal): Promise<'ready' | 'late' | number> {
    const seen = await until(() => this.awake || (this.#alive ? undefined : ('ended' as const)), {
      ...{ limitMs: readyMs, pollMs: 25, signal },
    });
    if (seen === true) return 'ready';
    this.#tail = (await this.#settings.readTail()).join('\n');
    return seen === 'ended' ? this.#exitCode : 'late';
  }

  override expectEnd(expected = true): void {
    this.#asked = expected;
  }

  override tail(): string {
    return this.#tail;
  }
}
