/** Reading one task: its view, its specification, why it waits, and waiting for its end. */
import type { NodeId, ShardId, TaskId } from '../model/ids.ts';
import { decodeSpec, type TaskSpec } from '../model/spec.ts';
import { withOverrides } from '../model/spec-overrides.ts';
import { type Consistency, isSettled, type TaskView } from '../model/task.ts';
import type { Explanation } from '../ports/node-api.ts';
import { specBytesWith } from './attempt-wishes.ts';
import type { NodeContext } from './context.ts';
import { explainTask } from './explain-task.ts';
import type { Scheduler } from './scheduler.ts';
import { isLeaderless, type ShardAccess } from './shard-access.ts';

interface Asked {
  readonly shard: ShardId;
  readonly stale: boolean;
  readonly id: TaskId;
}

interface Waiting<T> {
  readonly id: TaskId;
  readonly ask: () => Promise<T>;
  readonly isOver: (view: T) => boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export class TaskReads {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #access: ShardAccess;
  readonly #nodeOf: (nodeId: NodeId) => string;
  readonly #settleListeners = new Map<TaskId, Set<() => void>>();

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly access: ShardAccess;
    readonly nodeOf: (nodeId: NodeId) => string;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#access = deps.access;
    this.#nodeOf = deps.nodeOf;
    this.#serve();
  }

  /** Called by the node for every task that settled in a replica here. */
  settled(id: TaskId): void {
    const listeners = this.#settleListeners.get(id);
    if (listeners === undefined) return;
    this.#settleListeners.delete(id);
    for (const listener of listeners) listener();
  }

  /** Tasks may have settled without a word: whoever waits for one asks again. */
  lookAgain(): void {
    for (const id of [...this.#settleListeners.keys()]) this.settled(id);
  }

  async get(id: TaskId, consistency?: Consistency): Promise<TaskView> {
    return this.#access.fromShard(this.#access.shardOf(id), 'get', { id }, consistency);
  }

  async spec(id: TaskId): Promise<TaskSpec> {
    const shard = this.#access.shardOf(id);
    const answer = await this.#access.fromShard<{ spec: string }>(shard, 'spec', { id });
    return decodeSpec(Buffer.from(answer.spec, 'base64'));
  }

  async explain(id: TaskId): Promise<Explanation> {
    return this.#access.fromShard(this.#access.shardOf(id), 'explain', { id });
  }

  #serve(): void {
    const { peers } = this.#context;
    peers.answer<Asked>('get', async (_from, { shard, id, stale }) => {
      const { machine, replica } = await this.#access.confirmed(shard, stale);
      return this.#access.view(machine, replica, id, stale);
    });
    peers.answer<Asked>('spec', async (_from, { shard, id, stale }) => {
      const { machine } = await this.#access.confirmed(shard, stale);
      const record = this.#access.record(machine, shard, id);
      const bytes = this.#access.specBytes(machine, shard, record.digest);
      const whole = specBytesWith(bytes ?? new Uint8Array(0), record.update?.overrides);
      return { spec: Buffer.from(whole).toString('base64') };
    });
    peers.answer<Asked>('explain', (_from, asked) => this.#explainHere(asked));
  }

  async #explainHere({ shard, id, stale }: Asked): Promise<Explanation> {
    const { clock } = this.#context;
    const { machine, replica } = await this.#access.confirmed(shard, stale);
    const record = this.#access.record(machine, shard, id);
    const submitted = this.#access.spec(machine, shard, record.digest);
    const spec = withOverrides(submitted, record.update?.overrides);
    const waiting = record.state === 'waiting';
    return explainTask({
      record,
      spec,
      reason: waiting
        ? this.#access.reason(machine, record, spec, stale && isLeaderless(replica))
        : undefined,
      views: this.#scheduler.views(),
      nowMs: clock.nowMs(),
      wallMs: clock.wallMs(),
      place: waiting ? machine.position(id, clock.wallMs()) : undefined,
      ahead: waiting ? machine.aheadInLine(id) : undefined,
      nodeOf: this.#nodeOf,
      tenantPaused: this.#access.tenantPause(record.tenant),
      events: machine.eventsOf(id),
      lately: this.#scheduler.leader(shard)?.starts.lately(clock.nowMs()),
    });
  }

  /** The task once it has settled, or as it is when the time is up. */
  wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<TaskView> {
    const ask = (): Promise<TaskView> => this.get(id);
    return this.until({ id, ask, isOver: view => isSettled(view.state), timeoutMs, signal });
  }

  /** What `ask` gives once that is over, or when the time is up; asked when `id` settled. */
  async until<T>({ id, ask, isOver, timeoutMs, signal }: Waiting<T>): Promise<T> {
    const { clock } = this.#context;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const local = this.#context.loop.replica(this.#access.shardOf(id)) !== undefined;
    for (;;) {
      const settled = this.#nextSettle(id, signal);
      try {
        const view = await ask();
        const leftMs = deadlineMs - clock.nowMs();
        if (isOver(view) || leftMs <= 0 || signal.aborted) return view;
        // A replica here hears of it at once; without one the leader is asked again.
        await settled.within(Math.min(leftMs, local ? 5_000 : 500));
      } finally {
        settled.cancel();
      }
    }
  }

  #nextSettle(
    id: TaskId,
    signal: AbortSignal,
  ): { within(ms: number): Promise<void>; cancel(): void } {
    let wake: () => void = () => undefined;
    const woken = new Promise<void>(resolve => {
      wake = resolve;
    });
    const listeners = this.#settleListeners.get(id) ?? new Set();
    this.#settleListeners.set(id, listeners);
    listeners.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    let cancelTimer: () => void = () => undefined;
    return {
      within: ms => {
        cancelTimer = this.#context.clock.after(ms, wake);
        return woken;
      },
      cancel: () => {
        cancelTimer();
        signal.removeEventListener('abort', wake);
        listeners.delete(wake);
        if (listeners.size === 0 && this.#settleListeners.get(id) === listeners) {
          this.#settleListeners.delete(id);
        }
      },
    };
  }
}
