/**
 * Dead letters: replaying and purging them. A replay is a new task in the shard of the old one, so
 * that the two changes are one; its ID is drawn by the node that was asked, in the slot of the old
 * one, so that a repeat is known for what it is. The specification is added where the old task is
 * stored, at the leader, which asks the gate of its tenant: a replay counts as a submit.
 */
import type { Actor, ItemReply, SubmitItem } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { type ShardId, slotOfId, type TaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import { withOverrides } from '../model/spec-overrides.ts';
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
import type { TenantGate } from './tenant-gate.ts';

/** The new task of a dead letter. */
interface Wanted {
  readonly spec: TaskSpec;
  readonly arrayId: TaskId | undefined;
  readonly arrayIndex: number | undefined;
}

export class DeadLetterDesk {
  readonly #context: NodeContext;
  readonly #writes: TaskWrites;
  readonly #leaders: ShardLeaders;
  readonly #access: ShardAccess;
  readonly #draw: IdDraw;
  readonly #gate: Pick<TenantGate, 'letIn'>;

  constructor(deps: {
    readonly context: NodeContext;
    readonly writes: TaskWrites;
    readonly leaders: ShardLeaders;
    readonly access: ShardAccess;
    readonly draw: IdDraw;
    readonly gate: Pick<TenantGate, 'letIn'>;
  }) {
    this.#context = deps.context;
    this.#writes = deps.writes;
    this.#leaders = deps.leaders;
    this.#access = deps.access;
    this.#draw = deps.draw;
    this.#gate = deps.gate;
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

  /** What is let in by the plan and the limits of its tenant, as a submit is, becomes a task. */
  async #replayHere(
    leader: ShardLeader,
    asked: readonly SubmitItem[],
    actor: Actor,
  ): Promise<readonly ItemReply[]> {
    const { machine, shard } = leader;
    if (this.#context.loop.vitals.diskLow) throw diskFull(shard);
    const specs = new Map<string, TaskSpec>();
    const wanted = asked.map(item => this.#wanted(machine, shard, item, specs));
    const asking = wanted.filter(one => one !== undefined);
    const verdicts = (await this.#gate.letIn(asking)).values();
    const letIn = wanted.map(one => one && verdicts.next().value!);
    const encoded = new Map<TaskSpec, number>();
    const entries: Encoded[] = [];
    const items = asked.flatMap((item, position): SubmitItem[] => {
      const verdict = letIn[position];
      // Apply says what is wrong with it, or knows it; it has no specification.
      if (verdict === undefined) return [{ ...item, spec: asked.length }];
      if (!verdict.ok) return [];
      let place = encoded.get(verdict.spec);
      if (place === undefined) {
        place = entries.push(encodeWithDigest(verdict.spec)) - 1;
        encoded.set(verdict.spec, place);
      }
      const { arrayId, arrayIndex } = wanted[position]!;
      return [{ ...item, spec: place, arrayId, arrayIndex }];
    });
    const replayed =
      items.length === 0 ? [] : await leader.ask({ kind: 'replay', specs: entries, items }, actor);
    const replies = replayed.values();
    return asked.map(({ id: taskId }, position): ItemReply => {
      const verdict = letIn[position];
      return verdict?.ok === false ? { ...verdict, taskId } : replies.next().value!;
    });
  }

  /** What a dead letter asks of its tenant's gate; nothing for what is none, or was replayed. */
  #wanted(
    machine: ShardMachine,
    shard: ShardId,
    { id, retryOf }: SubmitItem,
    specs: Map<string, TaskSpec>,
  ): Wanted | undefined {
    const isRepeat = machine.record(id) !== undefined || machine.isSettled(id);
    if (isRepeat || retryOf === undefined || !machine.isDeadLetter(retryOf)) return undefined;
    const record = this.#access.record(machine, shard, retryOf);
    const { digest, update, arrayId, arrayIndex } = record;
    const known = update === undefined ? specs.get(digest) : undefined;
    const spec =
      known ??
      askedAgain(withOverrides(this.#access.spec(machine, shard, digest), update?.overrides));
    if (update === undefined) specs.set(digest, spec);
    return { spec, arrayId, arrayIndex };
  }
}
