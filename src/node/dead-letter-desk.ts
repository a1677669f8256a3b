/**
 * Dead letters: replaying and purging them. A replay is a new task in the shard of the old one, so
 * that the two changes are one; its ID is drawn by the node that was asked, in the slot of the old
 * one, so that a repeat is known for what it is. The specification is added where the old task is
 * stored, at the leader.
 */
import type { Actor, ItemReply, SubmitItem } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { type ShardId, slotOfId, type TaskId } from '../model/ids.ts';
import { decodeSpec } from '../model/spec.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { failureRules } from '../shard/rules.ts';
import type { NodeContext } from './context.ts';
import { diskFull } from './disk-room.ts';
import type { IdDraw } from './id-draw.ts';
import type { ShardAccess } from './shard-access.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { ShardLeaders } from './shard-leaders.ts';
import { askedAgain, type Encoded, encodeWithDigest } from './submit-parts.ts';
import type { TaskWrites } from './task-writes.ts';

export class DeadLetterDesk {
  readonly #context: NodeContext;
  readonly #writes: TaskWrites;
  readonly #leaders: ShardLeaders;
  readonly #access: ShardAccess;
  readonly #draw: IdDraw;

  constructor(deps: {
    readonly context: NodeContext;
    readonly writes: TaskWrites;
    readonly leaders: ShardLeaders;
    readonly access: ShardAccess;
    readonly draw: IdDraw;
  }) {
    this.#context = deps.context;
    this.#writes = deps.writes;
    this.#leaders = deps.leaders;
    this.#access = deps.access;
    this.#draw = deps.draw;
    this.#leaders.serve('purge', (leader, command) => leader.ask(command, command.actor));
    this.#leaders.serve('replay', (leader, command) =>
      this.#replayHere(leader, command.items, command.actor),
    );
  }

  /** Makes a new task in place of each; a reply names the new one. */
  async replay(ids: readonly TaskId[], actor: Actor): Promise<SubmitReply[]> {
    this.#refuseTooEarly();
    return await this.#writes.perShard(ids, (shard, mine) => {
      // Drawn once: a repeat of the request at another leader is about the same new tasks.
      const items = mine.map(retryOf => ({
        id: this.#draw.inSlot(slotOfId(retryOf)),
        spec: 0,
        retryOf,
      }));
      return this.#leaders.change(shard, { kind: 'replay', specs: [], items }, actor);
    });
  }

  async purge(ids: readonly TaskId[], actor: Actor): Promise<SubmitReply[]> {
    this.#refuseTooEarly();
    return await this.#writes.perShard(ids, (shard, mine) =>
      this.#leaders.change(
        shard,
        { kind: 'purge', items: mine.map(taskId => ({ taskId })) },
        actor,
      ),
    );
  }

  /** Before that nothing is a dead letter, and not every node reads the commands. */
  #refuseTooEarly(): void {
    if (this.#context.clusterVersion() >= failureRules) return;
    throw new TschedError(
      'notYet',
      `there are no dead letters before cluster version ${failureRules}: every node has to run a ` +
        'newer program first',
    );
  }

  #replayHere(
    leader: ShardLeader,
    asked: readonly SubmitItem[],
    actor: Actor,
  ): Promise<readonly ItemReply[]> {
    const { machine, shard } = leader;
    if (this.#context.loop.vitals.diskLow) return Promise.reject(diskFull(shard));
    const specs: Encoded[] = [];
    const places = new Map<string, number>();
    const items = asked.map((item): SubmitItem => {
      const { retryOf } = item;
      // Apply says what is wrong with it; it has no specification, whatever happens until then.
      if (retryOf === undefined || !machine.isSettled(retryOf)) {
        return { ...item, spec: asked.length };
      }
      const record = this.#access.record(machine, shard, retryOf);
      let place = places.get(record.digest);
      if (place === undefined) {
        place = specs.push(this.#specOf(machine, shard, record.digest)) - 1;
        places.set(record.digest, place);
      }
      const { arrayId, arrayIndex } = record;
      return { ...item, spec: place, arrayId, arrayIndex };
    });
    return leader.ask({ kind: 'replay', specs, items }, actor);
  }

  #specOf(machine: ShardMachine, shard: ShardId, digest: string): Encoded {
    const bytes = this.#access.storedSpec(machine, shard, digest);
    return encodeWithDigest(askedAgain(decodeSpec(bytes)));
  }
}
