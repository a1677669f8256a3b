/** Workflows of the fake node: kept and settled by hand, none of their tasks runs. */
import type { Actor } from '../../src/model/command.ts';
import { TschedError } from '../../src/model/errors.ts';
import { formatTaskId, type TaskId } from '../../src/model/ids.ts';
import { isWorkflowSettled, type WorkflowView, workflowTaskId } from '../../src/model/workflow.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import type {
  PlannedStep,
  PlannedWorkflow,
  RetryStart,
  WorkflowApi,
  WorkflowRequest,
} from '../../src/ports/workflow-api.ts';

const noWorkflow = {
  ok: false,
  code: 'unknownWorkflow',
  message: 'there is no such workflow',
} as const;

export class FakeWorkflows implements WorkflowApi {
  /** What was asked for, newest last. */
  readonly submitted: { readonly request: WorkflowRequest; readonly actor: Actor }[] = [];
  /** Refuses every submit with this, where set. */
  refusal: (SubmitReply & { readonly ok: false }) | undefined;
  readonly #views = new Map<TaskId, WorkflowView>();

  async submit(request: WorkflowRequest, actor: Actor): Promise<SubmitReply> {
    if (this.refusal !== undefined) return this.refusal;
    this.submitted.push({ request, actor });
    const { name, tenant, owner, tasks } = request;
    const drawn = formatTaskId({
      atMs: 1_767_225_600_000,
      slot: 7,
      random: 1_000 * this.#views.size,
    });
    const id = request.id ?? drawn;
    const repeated = this.#views.has(id);
    const view: WorkflowView = {
      ...{ id, name, tenant, owner, state: 'running', shard: 3, total: tasks.length },
      ...{ submittedAtMs: 1_767_225_600_000, retryOf: request.retryOf, stale: false },
      tasks: tasks.map(({ spec, parents }, index) => ({
        id: workflowTaskId(id, index),
        name: spec.name,
        after: parents.map(parent => tasks[parent]!.spec.name),
        when: spec.when ?? 'success',
        state: 'waiting',
      })),
    };
    if (!repeated) this.#views.set(id, view);
    return { ok: true, id, shard: 3, repeated };
  }

  plan({ tasks }: WorkflowRequest): PlannedWorkflow {
    if (this.refusal !== undefined) {
      const { code, message } = this.refusal;
      return { verdict: 'refused', code, message, total: tasks.length, stages: [], tasks: [] };
    }
    const steps = tasks.map(({ spec, parents }): PlannedStep => {
      const after = parents.map(parent => tasks[parent]!.spec.name);
      const about = { name: spec.name, stage: after.length === 0 ? 1 : 2, after };
      const places = [{ node: 'n'.repeat(20), name: 'node-a', count: 1 }];
      return after.length === 0
        ? { ...about, verdict: 'starts', message: 'would start now', places, waiting: 0 }
        : { ...about, verdict: 'waits', message: `waits for ${after}`, places, waiting: 1 };
    });
    const stage = { tasks: 1, starts: 1, waits: 0, refused: 0 };
    const [message, total] = ['1 of the 1 would start now', tasks.length];
    return { verdict: 'starts', message, total, stages: [stage, stage], tasks: steps };
  }

  /** Whether it is a task of one of them. */
  holds(id: TaskId): boolean {
    return [...this.#views.values()].some(({ tasks }) => tasks.some(task => task.id === id));
  }

  settle(id: TaskId, state: 'succeeded' | 'failed'): void {
    const view = this.#view(id);
    const tasks = view.tasks.map(task => ({ ...task, state }));
    this.#views.set(id, { ...view, state, tasks, settledAtMs: view.submittedAtMs + 1 });
  }

  async resolve(text: string, tenant?: string | undefined): Promise<TaskId> {
    const found = [...this.#views.values()].find(
      view => view.id.endsWith(text) && (tenant === undefined || view.tenant === tenant),
    );
    if (found === undefined) throw new TschedError('unknownWorkflow', noWorkflow.message);
    return found.id;
  }

  async get(
    id: TaskId,
    query: { readonly brief?: boolean | undefined } = {},
  ): Promise<WorkflowView> {
    const view = this.#view(id);
    return query.brief === true ? { ...view, tasks: [] } : view;
  }

  wait(id: TaskId): Promise<WorkflowView> {
    return this.get(id, { brief: true });
  }

  async cancel(id: TaskId, reason: string, actor: Actor): Promise<SubmitReply> {
    const view = this.#view(id);
    if (isWorkflowSettled(view.state)) {
      return { ok: false, id, code: 'alreadySettled', message: 'the workflow has settled' };
    }
    const cancelRequested = { reason, by: actor.name };
    this.#views.set(id, { ...view, state: 'cancelled', cancelRequested });
    return { ok: true, id, shard: 3, repeated: false };
  }

  async retry(id: TaskId, _from: RetryStart, actor: Actor): Promise<SubmitReply> {
    const { name, tenant, owner, state } = this.#view(id);
    if (!isWorkflowSettled(state)) {
      return { ok: false, code: 'notSettled', message: `workflow ${id} is ${state}` };
    }
    const { tasks } = this.submitted.findLast(({ request }) => request.name === name)!.request;
    return this.submit({ name, tenant, owner, tasks, retryOf: id }, actor);
  }

  #view(id: TaskId): WorkflowView {
    const view = this.#views.get(id);
    if (view === undefined) throw new TschedError('unknownWorkflow', noWorkflow.message);
    return view;
  }
}
