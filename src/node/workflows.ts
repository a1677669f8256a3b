/**
 * Workflows at the node that is asked: submitted part by part to the leader of their shard, read
 * there, run again. Every part may be repeated: apply knows what it has.
 */
import type { Actor } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { parseTaskId, type ShardId, slotOfId, type TaskId, toTaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { Consistency } from '../model/task.ts';
import { isWorkflowSettled, type WorkflowView, workflowRandomMax } from '../model/workflow.ts';
import type { Store } from '../ports/store.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';
import type {
  PlannedWorkflow,
  RetryStart,
  WorkflowApi,
  WorkflowQuery,
  WorkflowRequest,
} from '../ports/workflow-api.ts';
import { type Answered, type Asked, ShardQuestions } from './ask-shards.ts';
import type { NodeContext } from './context.ts';
import { diskFull } from './disk-room.ts';
import type { IdDraw } from './id-draw.ts';
import { planWorkflow } from './plan-workflow.ts';
import type { ShardAccess } from './shard-access.ts';
import type { ShardLeaders } from './shard-leaders.ts';
import { refuseUnreadable, tooNewFor } from './submit-parts.ts';
import { failureOf, refusalOf, toReply } from './submit-replies.ts';
import type { TaskReads } from './task-reads.ts';
import type { TaskWrites } from './task-writes.ts';
import type { Refusal, TenantGate } from './tenant-gate.ts';
import { type WorkflowPart, workflowParts } from './workflow-parts.ts';
import { type FoundWorkflow, findWorkflow } from './workflow-reads.ts';
import { retryRequest } from './workflow-retry.ts';

/** Cluster version that brings workflows. */
const versionNeeded = 3;
const tooEarly: Refusal = {
  code: 'notYet',
  message: 'workflows wait until each node runs a newer program',
};
/** Reading ten thousand specs and submitting them anew takes a while. */
const retryMs = 30_000;
const matchesMax = 5;

interface GetAsked {
  readonly shard: ShardId;
  readonly stale: boolean;
  readonly id: TaskId;
  readonly brief: boolean;
}

interface RetryAsked {
  readonly shard: ShardId;
  readonly id: TaskId;
  readonly newId: TaskId;
  readonly from: RetryStart;
  readonly actor: Actor;
}

interface FindAsked extends Asked {
  readonly ending: string;
  readonly tenant?: string | undefined;
}

interface FindAnswer extends Answered {
  readonly ids: readonly TaskId[];
}

type Change =
  | WorkflowPart
  | {
      readonly kind: 'cancelWorkflow';
      readonly items: readonly { readonly id: TaskId }[];
      readonly reason: string;
    };

export class Workflows implements WorkflowApi {
  readonly #context: NodeContext;
  readonly #writes: TaskWrites;
  readonly #leaders: ShardLeaders;
  readonly #gate: TenantGate;
  readonly #access: ShardAccess;
  readonly #reads: TaskReads;
  readonly #store: Store;
  readonly #draw: IdDraw;
  readonly #submitted: (count: number) => void;
  readonly #shards: () => number;
  readonly #questions: ShardQuestions;

  constructor(deps: {
    readonly context: NodeContext;
    readonly writes: TaskWrites;
    readonly leaders: ShardLeaders;
    readonly gate: TenantGate;
    readonly access: ShardAccess;
    readonly reads: TaskReads;
    readonly store: Store;
    readonly draw: IdDraw;
    /** So many tasks were acknowledged. */
    readonly submitted: (count: number) => void;
    readonly shards: () => number;
  }) {
    this.#context = deps.context;
    this.#writes = deps.writes;
    this.#leaders = deps.leaders;
    this.#gate = deps.gate;
    this.#access = deps.access;
    this.#reads = deps.reads;
    this.#store = deps.store;
    this.#draw = deps.draw;
    this.#submitted = deps.submitted;
    this.#shards = deps.shards;
    this.#questions = new ShardQuestions(deps.context, deps.access);
    this.#serve();
  }

  async submit(request: WorkflowRequest, actor: Actor): Promise<SubmitReply> {
    if (this.#context.clusterVersion() < versionNeeded) return { ok: false, ...tooEarly };
    const open = request.tasks.filter(({ kept }) => kept === undefined);
    const judged = await this.#gate.whole(
      'a workflow',
      open.map(({ spec }) => spec),
    );
    if (!judged.ok) return judged;
    for (const spec of judged.specs) {
      const unfit = this.#writes.unfit(spec);
      if (unfit !== undefined) return refusalOf(unfit.code, `task ${spec.name}: ${unfit.message}`);
    }
    const id = request.id ?? this.#drawId();
    if (id === undefined) {
      return refusalOf('noQuorum', 'no shard has a leader that this node can reach', 1_000);
    }
    const allowed = judged.specs.values();
    const tasks = request.tasks.map(task =>
      task.kept === undefined ? { ...task, spec: allowed.next().value! } : task,
    );
    const parts = workflowParts({ ...request, tasks, id });
    for (const { specs } of parts) {
      for (const { bytes } of specs) {
        const tooNew = tooNewFor(bytes, this.#context.clusterVersion());
        if (tooNew !== undefined) return refusalOf('notYet', tooNew);
      }
    }
    let reply: SubmitReply | undefined;
    let repeated = true;
    for (const part of parts) {
      reply = await this.#writes.bounded(
        part.items.length,
        () => this.#change(part, id, actor),
        refusal => refusal,
      );
      if (!reply.ok) return told(reply, part);
      repeated &&= reply.repeated;
      this.#submitted(part.items.length);
    }
    return reply?.ok ? { ...reply, repeated } : refusalOf('badSpec', 'a workflow has a task');
  }

  plan(request: WorkflowRequest): PlannedWorkflow {
    const specs = request.tasks.map(({ spec }) => spec);
    const isEarly = this.#context.clusterVersion() < versionNeeded;
    const refusal = isEarly ? tooEarly : this.#gate.neverWhole('a workflow', specs);
    const mayNot = (spec: TaskSpec): Refusal | undefined => this.#gate.mayNot(spec);
    return planWorkflow(request, {
      refusal,
      mayNot: spec => this.#writes.unfit(spec) ?? mayNot(spec),
      plan: tasks => this.#writes.plan(tasks, mayNot),
    });
  }

  #drawId(): TaskId | undefined {
    const id = this.#draw.anywhere();
    if (id === undefined || parseTaskId(id)!.random <= workflowRandomMax) return id;
    return this.#draw.inSlot(slotOfId(id));
  }

  async #change(body: Change, id: TaskId, actor: Actor): Promise<SubmitReply> {
    try {
      const shard = this.#access.shardOf(id);
      const replies = await this.#leaders.change(shard, body, actor);
      return toReply(replies[0], shard, id);
    } catch (error) {
      return failureOf(error, id);
    }
  }

  cancel(id: TaskId, reason: string, actor: Actor): Promise<SubmitReply> {
    return this.#change({ kind: 'cancelWorkflow', items: [{ id }], reason }, id, actor);
  }

  async get(id: TaskId, query: WorkflowQuery = {}): Promise<WorkflowView> {
    const shard = this.#access.shardOf(id);
    const body = { id, brief: query.brief === true };
    const { consistency } = query;
    const found = await this.#fromShard(shard, body, consistency);
    const tasks = found.tasks.map(({ parents, ...task }) => ({
      ...task,
      after: parents.map(parent => found.tasks[parent]?.name ?? String(parent)),
    }));
    return { ...found, tasks };
  }

  #fromShard(
    shard: ShardId,
    body: { readonly id: TaskId; readonly brief: boolean },
    consistency: Consistency | undefined,
  ): Promise<FoundWorkflow & { readonly stale: boolean }> {
    return this.#access.fromShard(shard, 'workflow', body, consistency);
  }

  wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<WorkflowView> {
    const ask = (): Promise<WorkflowView> => this.get(id, { brief: true });
    const isOver = ({ state }: WorkflowView): boolean => isWorkflowSettled(state);
    return this.#reads.until({ id, ask, isOver, timeoutMs, signal });
  }

  async resolve(text: string, tenant?: string | undefined): Promise<TaskId> {
    const whole = toTaskId(text);
    if (whole !== undefined) return whole;
    const ending = text === 'last' ? '' : text.toLowerCase();
    if (text !== 'last' && !/^[0-9a-z]{4,19}$/.test(ending)) {
      throw new TschedError('badId', `"${text.slice(0, 40)}" is no ID of a workflow`);
    }
    const shards = Array.from({ length: this.#shards() }, (_, place) => place + 1);
    const body = { ending, tenant };
    const { answers } = await this.#questions.ask<FindAnswer>(
      'findWorkflow',
      { shards, local: false },
      body,
    );
    const ids = answers.flatMap(answer => answer.ids).sort();
    const newest = ids.at(-1);
    if (newest === undefined) {
      throw new TschedError('unknownWorkflow', `there is no workflow ${text}`);
    }
    if (text !== 'last' && ids.length > 1) {
      throw new TschedError('ambiguousId', `${text} fits workflows ${ids.join(', ')}`);
    }
    return newest;
  }

  async retry(id: TaskId, from: RetryStart, actor: Actor): Promise<SubmitReply> {
    const shard = this.#access.shardOf(id);
    const newId = this.#draw.inSlot(slotOfId(id));
    const leader = this.#context.leaderOf(shard);
    if (leader === undefined) {
      return refusalOf('noQuorum', `shard ${shard} has no leader that can be reached`, 1_000);
    }
    const asked: RetryAsked = { shard, id, newId, from, actor };
    try {
      return await this.#context.peers.ask<SubmitReply>(leader, 'retryWorkflow', asked, retryMs);
    } catch (error) {
      return failureOf(error, newId);
    }
  }

  #serve(): void {
    const { peers } = this.#context;
    this.#leaders.serve('submitWorkflow', async (leader, command) => {
      if (this.#context.loop.vitals.diskLow) throw diskFull(leader.shard);
      refuseUnreadable(command, this.#context.clusterVersion());
      return await leader.ask(command, command.actor);
    });
    this.#leaders.serve('cancelWorkflow', (leader, command) => leader.ask(command, command.actor));
    peers.answer<GetAsked>('workflow', async (_from, { shard, id, stale, brief }) => {
      const { machine } = await this.#access.confirmed(shard, stale);
      return { ...(await findWorkflow({ shard, machine, store: this.#store }, id, brief)), stale };
    });
    peers.answer<FindAsked>('findWorkflow', (_from, asked) => this.#findHere(asked));
    peers.answer<RetryAsked>('retryWorkflow', async (_from, { shard, id, newId, from, actor }) => {
      const { machine } = await this.#access.confirmed(shard, false);
      const request = await retryRequest({ shard, machine, store: this.#store }, id, from);
      return this.submit({ ...request, id: newId }, actor);
    });
  }

  async #findHere(asked: FindAsked): Promise<FindAnswer> {
    const { shards, ending, tenant } = asked;
    const stale = await this.#questions.unconfirmed(asked);
    const missing: ShardId[] = [];
    const ids: TaskId[] = [];
    for (const shard of shards) {
      const replica = this.#context.loop.replica(shard);
      if (replica === undefined) missing.push(shard);
      else {
        const { machine } = this.#access.machineOf(replica);
        for (const { head } of machine.links.workflows()) {
          const mine = tenant === undefined || head.tenant === tenant;
          if (mine && head.id.endsWith(ending)) ids.push(head.id);
        }
      }
    }
    return { ids: ids.sort().slice(-matchesMax), missing, stale };
  }
}

/** What of the workflow is there, where only a part of it could be taken. */
function told(reply: SubmitReply & { readonly ok: false }, part: WorkflowPart): SubmitReply {
  if (part.from === 0) return reply;
  const there = `${part.from} of its ${part.workflow.total} tasks are there, and none runs`;
  return {
    ...reply,
    message: `${reply.message}; ${there} until the rest is: repeat it with its ID`,
  };
}
