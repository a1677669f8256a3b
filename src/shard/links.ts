/** What the node asks of a shard about messages, workflows, and what tasks hand on to others. */
import type { TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { TaskInput } from '../model/worker-protocol.ts';
import { workflowTaskId } from '../model/workflow.ts';
import type { OutboxMessage } from './mailbox.ts';
import { lookup, type ShardState } from './state.ts';
import { hasOutput, type Workflow } from './workflows.ts';

/** What a task is given of its parents. */
interface InputSources {
  /** Of parents by ID. */
  readonly inputs: readonly TaskInput[];
  readonly workflow?: TaskId | undefined;
  /** Parents in its workflow that handed something on, in the order in which it names them. */
  readonly parents: readonly { readonly index: number; readonly id: TaskId }[];
}

export class ShardLinks {
  readonly #state: ShardState;

  constructor(state: ShardState) {
    this.#state = state;
  }

  /** Messages that are not acknowledged. */
  get messages(): number {
    return this.#state.mail.size;
  }

  /** The same, oldest first; the walk is over with the next `apply`. */
  outbox(): IterableIterator<OutboxMessage> {
    return this.#state.mail.messages();
  }

  workflow(id: TaskId): Readonly<Workflow> | undefined {
    return this.#state.workflows.get(id);
  }

  workflows(): IterableIterator<Readonly<Workflow>> {
    return this.#state.workflows.all();
  }

  /** Whether nothing keeps a settled task in the history. */
  mayExpire(id: TaskId): boolean {
    const state = this.#state;
    if (state.lookUp(id) !== lookup.settled) return false;
    return state.workflows.of(id)?.workflow.settledAtMs !== 0;
  }

  /** Value of a row of a message or a workflow that is not stored yet. */
  pendingRow(key: Uint8Array): Uint8Array | undefined {
    return this.#state.flush.side.pending(key);
  }

  /** `undefined` for a task that is given nothing, as nearly all are. */
  inputSources(id: TaskId): InputSources | undefined {
    const { table, workflows } = this.#state;
    const row = this.#state.lookUp(id);
    const detail = row < 0 ? undefined : table.detail(row);
    if (detail?.dependency === undefined) return undefined;
    const { inputs } = detail.dependency;
    const place = detail.workflow;
    const workflow = place && workflows.get(place.id);
    const parents = (workflow?.parents[place!.index] ?? [])
      .filter(parent => hasOutput(workflow!, parent))
      .slice(0, limits.inputsMax)
      .map(index => ({ index, id: workflowTaskId(place!.id, index) }));
    if (inputs.length === 0 && parents.length === 0) return undefined;
    return { inputs, workflow: place?.id, parents };
  }
}
