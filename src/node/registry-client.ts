/**
 * Commands to the registry, from any node: proposed here where this node leads group 0, else sent
 * to the leader, which stamps them.
 */
import { DecodeError } from '../model/bytes.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import {
  decodeRegistryCommand,
  encodeRegistryCommand,
  type RegistryCommand,
} from '../registry/command.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { RegistryReply } from '../registry/state.ts';
import type { NodeContext } from './context.ts';
import { within } from './within.ts';

type Unstamped = RegistryCommand extends infer C
  ? C extends RegistryCommand
    ? Omit<C, 'atMs' | 'actor'>
    : never
  : never;

const timeoutMs = 4_000;
/** Asking again would not change them. */
const final: readonly ErrorCode[] = ['forbidden', 'badRequest', 'tooLarge'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class RegistryClient {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
    context.peers.handle('registry', async (from, payload) => {
      const command = decodeRegistryCommand(payload);
      refuseAlien(command, from);
      return encoder.encode(JSON.stringify(await this.#here(command, from)));
    });
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
  async propose(command: Unstamped): Promise<RegistryReply> {
    const { clock, peers, nodeId } = this.#context;
    const stamped = { ...command, atMs: 0, actor: { name: '', tenant: '' } } as RegistryCommand;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const late = (): TschedError =>
      new TschedError('outcomeUnknown', 'the registry did not confirm in time');
    let unknown = false;
    for (;;) {
      const leftMs = deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        if (unknown) throw late();
        throw new TschedError('noQuorum', 'the registry has no leader that can be reached');
      }
      const leader = this.#context.leaderOf(registryGroup);
      try {
        if (leader === nodeId && this.leading) {
          return await within(clock, this.#here(stamped, nodeId), leftMs, late);
        }
        if (leader !== undefined && leader !== nodeId) {
          const payload = encodeRegistryCommand(stamped);
          const limitMs = Math.min(leftMs, 2_000);
          const answer = await peers.request(leader, 'registry', payload, limitMs);
          return JSON.parse(decoder.decode(answer)) as RegistryReply;
        }
      } catch (error) {
        if (!(error instanceof TschedError) || final.includes(error.code)) throw error;
        if (error.code === 'outcomeUnknown') unknown = true;
      }
      await new Promise<void>(resolve => clock.after(100, resolve));
    }
  }

  async #here(command: RegistryCommand, from: NodeId): Promise<RegistryReply> {
    const replica = this.#context.loop.replica(registryGroup);
    if (replica?.leading !== true) {
      throw new TschedError('notLeader', 'this node does not lead the registry');
    }
    const stamped = {
      ...command,
      atMs: this.#context.clock.wallMs(),
      actor: { name: `node:${from}`, tenant: '' },
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
      // About itself, or passed on for a node that shows a join token.
      if (command.node.id === from || command.joinSecret !== undefined) return;
      break;
    case 'bootstrap':
    case 'setNodeState':
    case 'putToken':
    case 'dropToken':
    case 'setSetting':
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
