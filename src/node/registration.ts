/**
 * Telling the registry about this process: at a first start through a node of the join token, later
 * through the registry itself. Also the other side: letting nodes in that ask to join.
 */
import { versionTextOf } from '../model/cluster-version.ts';
import { TschedError } from '../model/errors.ts';
import type { StoreImage } from '../ports/store.ts';
import type { NodeRegistration } from '../registry/state.ts';
import type { NodeContext } from './context.ts';
import type { NodeSettings } from './node-parts.ts';
import type { RegistryClient } from './registry-client.ts';
import { sha256Hex } from './sha256.ts';

const againMs = 200;
/** A node that was taken in has its replica of the registry within this, as a rule. */
const replicaPatienceMs = 10_000;

type Answer = { ok: true } | { ok: false; code: TschedError['code']; message: string };

export class Registration {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #settings: NodeSettings;
  readonly #image: StoreImage;
  readonly #bootId: string;
  readonly #refused: (error: TschedError) => void;
  #stopped = false;
  #done = false;

  constructor(options: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly settings: NodeSettings;
    readonly image: StoreImage;
    /** Random: tells a repeated request of this process from a rolled-back disk. */
    readonly bootId: string;
    /** The registry does not take this node: it cannot go on. */
    readonly refused: (error: TschedError) => void;
  }) {
    this.#context = options.context;
    this.#registry = options.registry;
    this.#settings = options.settings;
    this.#image = options.image;
    this.#bootId = options.bootId;
    this.#refused = options.refused;
    this.#serveJoin();
  }

  /** The registry knows this process. */
  get done(): boolean {
    return this.#done;
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Repeats until the registry has taken this process in and made it a replica of itself, or has
   * refused it. A node that is removed or declared dead before it has that replica hears of it only
   * by asking again.
   */
  async register(): Promise<void> {
    const { clock, log } = this.#context;
    while (!this.#stopped) {
      try {
        const answer = await this.#once();
        if (!answer.ok) {
          this.#refused(new TschedError(answer.code, answer.message));
          return;
        }
        if (!this.#done) log.info('registered', { name: this.#settings.name });
        this.#done = true;
      } catch (error) {
        log.debug('not registered yet', { why: String(error) });
      }
      const pauseMs = this.#done ? replicaPatienceMs : againMs;
      await new Promise<void>(resolve => clock.after(pauseMs, resolve));
      if (this.#done && this.#registry.machine()?.cluster() !== undefined) return;
    }
  }

  async #once(): Promise<Answer> {
    const { peers } = this.#context;
    const { joinSecret: secret, bootstrap } = this.#settings;
    const joinSecret = secret === undefined ? undefined : sha256Hex(secret);
    const node = this.#describe();
    if (this.#registry.machine()?.cluster() !== undefined) {
      return this.#registry.propose({ kind: 'registerNode', node, joinSecret });
    }
    // Not a member yet: through whichever node of the join token answers.
    let failure = new TschedError('unreachable', 'no node of the join token can be reached');
    for (const { node: contact } of bootstrap) {
      if (!peers.connected(contact)) continue;
      try {
        return await peers.ask<Answer>(contact, 'join', { registration: node, joinSecret }, 5_000);
      } catch (error) {
        if (!(error instanceof TschedError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #describe(): NodeRegistration {
    const { name, httpAddress, tier, total, labels, zone, version } = this.#settings;
    return {
      id: this.#context.nodeId,
      name,
      storeId: this.#image.header.storeId,
      bootCount: this.#image.bootCount,
      bootId: this.#bootId,
      addresses: this.#context.peers.addresses(),
      httpAddress,
      tier,
      total,
      labels,
      zone,
      weight: 100,
      version: versionTextOf(version, this.#registry.version.own),
    };
  }

  #serveJoin(): void {
    this.#context.peers.answer<{ registration: NodeRegistration; joinSecret?: string }>(
      'join',
      (from, body) => {
        if (body.registration.id !== from) {
          throw new TschedError('joinRefused', 'a node can only register itself');
        }
        return this.#registry.propose({
          kind: 'registerNode',
          node: body.registration,
          joinSecret: body.joinSecret,
        });
      },
      { open: true },
    );
  }
}
