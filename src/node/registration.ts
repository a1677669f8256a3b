/**
 * Telling the registry about this process: at a first start through a node of the join token, later
 * through the registry itself. Also the other side: letting nodes in that ask to join.
 */
import { versionTextOf } from '../model/cluster-version.ts';
import { TschedError } from '../model/errors.ts';
import type { KnownStarts } from '../registry/starts.ts';
import type { NodeRegistration } from '../registry/state.ts';
import type { NodeContext } from './context.ts';
import type { NodeSettings } from './node-parts.ts';
import type { RegistryClient } from './registry-client.ts';
import { sha256Hex } from './sha256.ts';
import type { StartRecord } from './start-record.ts';

const againMs = 200;
/** A node that was taken in has its replica of the registry within this, as a rule. */
const replicaPatienceMs = 10_000;

interface JoinRequest {
  readonly registration: NodeRegistration;
  readonly joinSecret?: string | undefined;
  /** Missing where the node runs a program that does not keep them. */
  readonly starts?: KnownStarts | undefined;
}

type Answer = { ok: true } | { ok: false; code: TschedError['code']; message: string };

export class Registration {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #settings: NodeSettings;
  readonly #labels: () => NodeSettings['labels'];
  readonly #start: StartRecord;
  readonly #refused: (error: TschedError) => void;
  #stopped = false;
  #done = false;

  constructor(options: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly settings: NodeSettings;
    /** Known once its worker has begun. */
    readonly labels: () => NodeSettings['labels'];
    readonly start: StartRecord;
    /** The registry does not take this node: it cannot go on. */
    readonly refused: (error: TschedError) => void;
  }) {
    this.#context = options.context;
    this.#registry = options.registry;
    this.#settings = options.settings;
    this.#labels = options.labels;
    this.#start = options.start;
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
    await this.#start.keep();
    while (!this.#stopped) {
      try {
        const answer = await this.#once();
        if (!answer.ok) {
          this.#refused(new TschedError(answer.code, answer.message));
          return;
        }
        if (!this.#done) log.info('registered', { name: this.#settings.name });
        this.#done = true;
        await this.#start.confirm();
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
      return this.#registry.register({ node, joinSecret, starts: this.#start.known });
    }
    // Not a member yet, or no more under this store: through whichever node answers.
    let failure = new TschedError('unreachable', 'no node that is known here can be reached');
    for (const { node: contact } of bootstrap) {
      if (!peers.connected(contact)) continue;
      try {
        const asked = { registration: node, joinSecret, starts: this.#start.known };
        return await peers.ask<Answer>(contact, 'join', asked, 5_000);
      } catch (error) {
        if (!(error instanceof TschedError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #describe(): NodeRegistration {
    const { name, httpAddress, tier, total, zone, version } = this.#settings;
    return {
      id: this.#context.nodeId,
      name,
      storeId: this.#start.storeId,
      bootCount: this.#start.bootCount,
      bootId: this.#start.bootId,
      addresses: this.#context.peers.addresses(),
      httpAddress,
      tier,
      total,
      labels: this.#labels(),
      zone,
      weight: 100,
      version: versionTextOf(version, this.#registry.version.own),
    };
  }

  #serveJoin(): void {
    this.#context.peers.answer<JoinRequest>(
      'join',
      (from, { registration: node, joinSecret, starts }) => {
        if (node.id !== from) {
          throw new TschedError('joinRefused', 'a node can only register itself');
        }
        return this.#registry.register({ node, joinSecret, starts });
      },
      { open: true },
    );
  }
}
