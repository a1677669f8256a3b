/**
 * Commands to the registry, from any node: proposed here where this node leads group 0, else sent
 * to the leader, which stamps them.
 */

import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { type SettingName, settingOf } from '../model/cluster-settings.ts';
import { ownClusterVersion } from '../model/cluster-version.ts';
import type { Actor } from '../model/command.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import { type TierBundles, tierBundleDefaults, tierBundles } from '../model/tiers.ts';
import {
  decodeRegistryCommand,
  encodeRegistryCommand,
  type RegistryCommand,
} from '../registry/command.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { KnownStarts } from '../registry/starts.ts';
import type { NodeRegistration, RegistryNode, RegistryReply } from '../registry/state.ts';
import { bearerOf } from './bearer.ts';
import { mayAsk, neededVersion } from './bearer-commands.ts';
import { ClusterVersion } from './cluster-version.ts';
import type { NodeContext } from './context.ts';
import { within } from './within.ts';

type Unstamped = RegistryCommand extends infer C
  ? C extends RegistryCommand
    ? Omit<C, 'atMs' | 'actor'>
    : never
  : never;

interface Delivery {
  readonly method: string;
  readonly payload: () => Uint8Array;
  /** The same at this node, where it leads the registry. */
  readonly here: () => Promise<RegistryReply>;
}

const tokenBytesMax = 1_024;
const timeoutMs = 4_000;
/** Asking again would not change them. */
const final: readonly ErrorCode[] = ['forbidden', 'badRequest', 'tooLarge'];
/** Who leads the registry stamps it. */
const unstamped = (command: Unstamped): RegistryCommand =>
  ({ ...command, atMs: 0, actor: { name: '', tenant: '' } }) as RegistryCommand;
const actorOf = (node: NodeId): Actor => ({ name: `node:${node}`, tenant: '' });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What is asked for at every submit, made anew only where the registry has applied something. */
class Derived<T> {
  #from: RegistryMachine | undefined;
  #applied = -1;
  #value: T | undefined;

  of(machine: RegistryMachine, applied: number, make: () => T): T {
    if (this.#value === undefined || this.#from !== machine || this.#applied !== applied) {
      this.#value = make();
      this.#from = machine;
      this.#applied = applied;
    }
    return this.#value;
  }
}

export class RegistryClient {
  readonly version: ClusterVersion;
  readonly #context: NodeContext;
  readonly #members = new Derived<readonly RegistryNode[]>();
  readonly #tiers = new Derived<TierBundles>();

  /** `own` is another cluster version in tests of programs to come. */
  constructor(context: NodeContext, own: number = ownClusterVersion) {
    this.#context = context;
    this.version = new ClusterVersion({ own, log: context.log, registry: this });
    context.peers.handle('registry', async (from, payload) => {
      const command = decodeRegistryCommand(payload);
      refuseAlien(command, from);
      return encoder.encode(JSON.stringify(await this.#here(command, actorOf(from))));
    });
    context.peers.handle('administer', async (_from, payload) => {
      const reader = new ByteReader(payload);
      const token = reader.text(tokenBytesMax);
      const command = decodeRegistryCommand(reader.bytes());
      return encoder.encode(JSON.stringify(await this.#administered(command, token)));
    });
    context.peers.answer('registryLeader', () => ({ leader: context.leaderOf(registryGroup) }));
  }

  /** Nodes that are part of the cluster, as far as this one knows. */
  members(): readonly RegistryNode[] {
    const machine = this.machine();
    if (machine === undefined) return [];
    return this.#members.of(machine, this.appliedIndex, () =>
      machine.nodes().filter(node => node.state !== 'removed'),
    );
  }

  /** Nodes that hold a replica of a group, as last reported. */
  seatsOf(group: number): NodeId[] {
    const known = this.machine()?.group(group);
    return known === undefined ? [] : [...known.voters, ...known.learners].map(seat => seat.node);
  }

  /** What an administrator set, or the default. */
  setting(name: SettingName): number {
    return settingOf(name, this.machine()?.setting(name));
  }

  /** What the tiers give, as far as this node knows. */
  tiers(): TierBundles {
    const machine = this.machine();
    if (machine === undefined) return tierBundleDefaults;
    return this.#tiers.of(machine, this.appliedIndex, () =>
      tierBundles(tier => machine.tier(tier)),
    );
  }

  /** The registry's machine here; `undefined` until this node holds a replica of group 0. */
  machine(): RegistryMachine | undefined {
    const replica = this.#context.loop.replica(registryGroup);
    return replica?.machine as unknown as RegistryMachine | undefined;
  }

  get leading(): boolean {
    return this.#context.loop.replica(registryGroup)?.leading === true;
  }

  get appliedIndex(): number {
    return this.#context.loop.replica(registryGroup)?.applied ?? 0;
  }

  /**
   * Proposes, and repeats that until there is an answer. Rejects with `noQuorum` where no leader of
   * the registry could be reached in time, with `outcomeUnknown` where one was and did not answer.
   */
  propose(command: Unstamped): Promise<RegistryReply> {
    const stamped = unstamped(command);
    return this.#deliver({
      method: 'registry',
      payload: () => encodeRegistryCommand(stamped),
      here: () => this.#here(stamped, actorOf(this.#context.nodeId)),
    });
  }

  /** Proposes once, where this node leads the registry; rejects where it does not. */
  proposeHere(command: Unstamped): Promise<RegistryReply> {
    return this.#here(unstamped(command), actorOf(this.#context.nodeId));
  }

  /**
   * Registers a start of a node. Programs of cluster version 1 stop at an entry that says what the
   * store knows of its starts: as long as there is one, that is left out, and the older rule holds.
   */
  register(asked: {
    readonly node: NodeRegistration;
    readonly joinSecret: string | undefined;
    readonly starts: KnownStarts | undefined;
  }): Promise<RegistryReply> {
    const { node, joinSecret, starts } = asked;
    return this.propose(
      starts === undefined || this.version.current() < 2
        ? { kind: 'registerNode', node, joinSecret }
        : { kind: 'registerStart', node, joinSecret, starts },
    );
  }

  /**
   * A command of an administrator. The registry's leader judges the bearer token by itself: a node
   * of the cluster is not thereby an administrator. A refusal is an error.
   */
  async administer(
    command: Unstamped,
    token: string,
  ): Promise<Extract<RegistryReply, { ok: true }>> {
    const stamped = unstamped(command);
    const reply = await this.#deliver({
      method: 'administer',
      payload: () => new ByteWriter(256).text(token).bytes(encodeRegistryCommand(stamped)).finish(),
      here: () => this.#administered(stamped, token),
    });
    if (!reply.ok) throw new TschedError(reply.code, reply.message);
    return reply;
  }

  async #administered(command: RegistryCommand, token: string): Promise<RegistryReply> {
    const machine = this.machine();
    if (machine === undefined || !this.leading) {
      throw new TschedError('notLeader', 'this node does not lead the registry');
    }
    const bearer = bearerOf(machine, token, this.#context.clock.wallMs());
    if (bearer === undefined || !mayAsk(bearer, command)) {
      throw new TschedError('forbidden', `the token does not allow this ${command.kind}`);
    }
    const needed = neededVersion(command.kind);
    if (this.version.current() < needed) {
      throw new TschedError(
        'notYet',
        `this needs cluster version ${needed}: every node has to run a newer program first`,
      );
    }
    return this.#here(command, { name: bearer.name, tenant: bearer.tenant });
  }

  async #deliver(asked: Delivery): Promise<RegistryReply> {
    const { clock, peers, nodeId } = this.#context;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const late = (): TschedError =>
      new TschedError('outcomeUnknown', 'the registry did not confirm in time');
    let unknown = false;
    let hinted: NodeId | undefined;
    for (;;) {
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        if (unknown) throw late();
        throw new TschedError('noQuorum', 'the registry has no leader that can be reached');
      }
      const leader = hinted ?? this.#context.leaderOf(registryGroup);
      try {
        if (leader === nodeId && this.leading) {
          return await within(clock, asked.here(), leftMs, late);
        }
        if (leader !== undefined && leader !== nodeId) {
          const limitMs = Math.min(leftMs, 2_000);
          const answer = await peers.request(leader, asked.method, asked.payload(), limitMs);
          return JSON.parse(decoder.decode(answer)) as RegistryReply;
        }
      } catch (error) {
        if (!(error instanceof TschedError) || final.includes(error.code)) throw error;
        if (error.code === 'outcomeUnknown') unknown = true;
      }
      hinted = await this.#hint();
      await new Promise<void>(resolve => clock.after(100, resolve));
    }
  }

  /**
   * Who leads the registry, by the word of another node: the replica of one that was away for long
   * may believe in a leader of then.
   */
  async #hint(): Promise<NodeId | undefined> {
    const { peers, nodeId, random } = this.#context;
    const others = (this.machine()?.nodes() ?? []).filter(
      ({ id }) => id !== nodeId && peers.connected(id),
    );
    const peer = others[random.uint32() % Math.max(1, others.length)];
    if (peer === undefined) return undefined;
    try {
      const { leader } = await peers.ask<{ leader?: NodeId }>(peer.id, 'registryLeader', {}, 500);
      return leader;
    } catch (error) {
      if (error instanceof TschedError) return undefined;
      throw error;
    }
  }

  async #here(command: RegistryCommand, actor: Actor): Promise<RegistryReply> {
    const registers = command.kind === 'registerNode' || command.kind === 'registerStart';
    if (!registers || !this.leading) return this.#decide(command, actor);
    return this.version.admit(command.node, () => this.#decide(command, actor));
  }

  async #decide(command: RegistryCommand, actor: Actor): Promise<RegistryReply> {
    const replica = this.#context.loop.replica(registryGroup);
    if (replica?.leading !== true) {
      throw new TschedError('notLeader', 'this node does not lead the registry');
    }
    const stamped = {
      ...command,
      atMs: this.#context.clock.wallMs(),
      actor,
    } as RegistryCommand;
    const data = encodeRegistryCommand(stamped);
    refuseUnreadable(data);
    const applied = await this.#context.loop.propose(replica, data);
    const [reply] = applied.replies as readonly RegistryReply[];
    if (reply === undefined) throw new TschedError('internal', 'the registry gave no reply');
    return reply;
  }

  /** As `propose`, and a refusal is an error. */
  async must(command: Unstamped): Promise<Extract<RegistryReply, { ok: true }>> {
    const reply = await this.propose(command);
    if (!reply.ok) throw new TschedError(reply.code, reply.message);
    return reply;
  }
}

/**
 * What another node may ask for: what nodes do for themselves. Everything else comes from the
 * registry's leader alone; a node of the cluster is not thereby an administrator.
 */
function refuseAlien(command: RegistryCommand, from: NodeId): void {
  switch (command.kind) {
    case 'allocateReplica':
    case 'putJoinSecret':
      return;
    case 'reportGroup':
      if (command.leader === from) return;
      break;
    case 'registerNode':
    case 'registerStart':
      // About itself, or passed on for a node that shows a join token.
      if (command.node.id === from || command.joinSecret !== undefined) return;
      break;
    case 'bootstrap':
    case 'setNodeState':
    case 'putToken':
    case 'dropToken':
    case 'setSetting':
    case 'setTier':
    case 'drainNode':
    case 'removeNode':
    case 'putTenant':
    case 'putPlan':
    case 'pausePlacement':
    case 'putTemplate':
    case 'dropTemplate':
    case 'putReservation':
    case 'dropReservation':
      break;
  }
  throw new TschedError('forbidden', `a node may not ask for this ${command.kind}`);
}

/**
 * A command that cannot be read stops every replica that applies it. Registrations come as JSON
 * from nodes that are not members yet, and can hold what no type admits.
 */
function refuseUnreadable(data: Uint8Array): void {
  try {
    decodeRegistryCommand(data);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new TschedError('badRequest', `malformed: ${cause.message}`, {}, cause);
  }
}
