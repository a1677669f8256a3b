/**
 * Commands to the registry, from any node: proposed here where this node leads group 0, else sent to
 * the leader, which stamps them.
 */
import { TschedError } from '../model/errors.ts';
import { type NodeId, registryGroup } from '../model/ids.ts';
import {
  decodeRegistryCommand,
  encodeRegistryCommand,
  type RegistryCommand,
} from '../registry/command.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { RegistryReply } from '../registry/state.ts';
import type { NodeContext } from './context.ts';

type Unstamped = RegistryCommand extends infer C
  ? C extends RegistryCommand
    ? Omit<C, 'atMs' | 'actor'>
    : never
  : never;

const timeoutMs = 4_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class RegistryClient {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
    context.peers.handle('registry', async (from, payload) => {
      const command = decodeRegistryCommand(payload);
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

  /** Proposes; rejects with `noQuorum` where no leader of the registry can be reached in time. */
  async propose(command: Unstamped): Promise<RegistryReply> {
    const { clock, peers, nodeId } = this.#context;
    const stamped = { ...command, atMs: 0, actor: { name: '', tenant: '' } } as RegistryCommand;
    const deadlineMs = clock.nowMs() + timeoutMs;
    for (;;) {
      const leader = this.#context.leaderOf(registryGroup);
      try {
        if (leader === nodeId && this.leading) return await this.#here(stamped, nodeId);
        if (leader !== undefined && leader !== nodeId) {
          const payload = encodeRegistryCommand(stamped);
          const answer = await peers.request(leader, 'registry', payload, 2_000);
          return JSON.parse(decoder.decode(answer)) as RegistryReply;
        }
      } catch (error) {
        if (!(error instanceof TschedError) || error.code === 'forbidden') throw error;
      }
      if (clock.nowMs() >= deadlineMs) {
        throw new TschedError('noQuorum', 'the registry has no leader that can be reached');
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
    const applied = await this.#context.loop.propose(replica, encodeRegistryCommand(stamped));
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
