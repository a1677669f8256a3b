/**
 * A node without a cluster: every verb of `NodeApi` over memory, for tests of the gateway and of
 * the CLI. Tasks stay where they are until the test moves them with `start`, `finish`, `print`;
 * with `settleAfterMs` they run and succeed by themselves.
 */
import type { Outcome, OutcomeKind } from '../../src/model/attempt.ts';
import type { Actor } from '../../src/model/command.ts';
import { type ErrorCode, TschedError } from '../../src/model/errors.ts';
import { formatTaskId, slotCount, slotOfId, type TaskId, toTaskId } from '../../src/model/ids.ts';
import type { ReservationAsk, ReservationView } from '../../src/model/reservation.ts';
import { noResources, type Resources, type Tier } from '../../src/model/resources.ts';
import type { Role } from '../../src/model/role.ts';
import { keySlot } from '../../src/model/slots.ts';
import { encodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import { writeUpdateDocument } from '../../src/model/spec-update.ts';
import {
  type AttemptView,
  type Consistency,
  type EventKind,
  isSettled,
  type PlacementPause,
  type TaskEvent,
  type TaskState,
  type TaskSummary,
  type TaskView,
  type WaitingReason,
} from '../../src/model/task.ts';
import type { TaskControl } from '../../src/model/task-change.ts';
import {
  changeTier,
  type TierBundles,
  type TierChange,
  type TierValues,
  tierBundles,
} from '../../src/model/tiers.ts';
import { idsOf, matches } from '../../src/node/task-filter.ts';
import type { PlannedTask, TemplateView } from '../../src/ports/control-api.ts';
import type { HistoryPage, HistoryQuery, TaskFilter } from '../../src/ports/history.ts';
import type {
  ClusterHealth,
  DrainView,
  Explanation,
  HealthView,
  ListPage,
  ListQuery,
  NodeApi,
  NodeDetail,
  NodeSummary,
  OutputPage,
  OutputQuery,
  ReplicaSummary,
  SettingView,
  ShardMoves,
  ShardSummary,
  SubmitRequest,
} from '../../src/ports/node-api.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import { FakeSchedules } from './fake-schedules.ts';
import { FakeTenancy } from './fake-tenancy.ts';
import { FakeWorkflows } from './fake-workflows.ts';

type Identity = Actor & { readonly role: Role };

/** Tokens a fake node knows, unless told otherwise. */
export const fakeTokens: Readonly<Record<string, Identity>> = {
  'admin-token': { name: 'admin', tenant: 'default', role: 'admin' },
  'submitter-token': { name: 'ada', tenant: 'default', role: 'submitter' },
  'reader-token': { name: 'rhea', tenant: 'default', role: 'reader' },
  'other-token': { name: 'otto', tenant: 'other', role: 'submitter' },
};

export interface FakeNodeOptions {
  readonly tokens?: Readonly<Record<string, Identity>>;
  readonly shards?: number;
  readonly version?: string;
  /** Tasks run and succeed by themselves after this time. */
  readonly settleAfterMs?: number;
  /** Events kept; older cursors are expired. */
  readonly eventsMax?: number;
}

interface Task {
  readonly spec: TaskSpec;
  view: TaskView;
  readonly output: Map<number, { stdout: Uint8Array; stderr: Uint8Array; ended: boolean }>;
}

const names = ['node-a', 'node-b', 'node-c'] as const;
const idOf = (name: string): string => `12D3KooWFake${name.toUpperCase().replace('-', '')}`;
const total: Resources = {
  ...noResources,
  cpuMilli: 4_000,
  memoryBytes: 8 * 1024 ** 3,
  diskBytes: 100 * 1024 ** 3,
};

const joinBytes = (left: Uint8Array, right: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
};

export class FakeNodeApi implements NodeApi {
  readonly schedules = new FakeSchedules();
  /** What `submit` was called with, newest last. */
  readonly submitCalls: { readonly requests: readonly SubmitRequest[]; readonly actor: Actor }[] =
    [];
  readonly tenancy = new FakeTenancy();
  readonly workflows = new FakeWorkflows();
  readonly stopCalls: { readonly endTasks: boolean }[] = [];
  /** By name. */
  readonly draining = new Map<string, { replicas: number; deadlineMs: number | undefined }>();
  readonly #removed = new Set<string>();
  /** What `moves` tells, one at a time. */
  readonly pendingMoves: ShardMoves[] = [];
  ready = true;
  /** What reads were asked to rest on, in order. */
  readonly consistencies: (Consistency | undefined)[] = [];
  /** Where there is none to ask, reads are stale and linearizable ones refused. */
  majority = true;
  /** What pages of the history were asked for. */
  readonly historyQueries: HistoryQuery[] = [];
  /** The page, counted from 1, at which the node fails once. */
  historyBreaksAt = 0;
  /** A shard that the first page is without. */
  historyMissing: number | undefined;
  /** Refuses every submit, cancel and retry with this, where set. */
  refusal: { code: ErrorCode; message: string; retryAfterMs?: number } | undefined;
  /** Thrown by every read, where set. */
  failure: Error | undefined;
  /** Waits that were ended by their signal. */
  waitsAborted = 0;
  /** Followed event streams that are open. */
  eventStreams = 0;

  readonly #options: FakeNodeOptions;
  readonly #tasks = new Map<TaskId, Task>();
  readonly #keys = new Map<string, TaskId>();
  readonly #events: { readonly at: number; readonly event: TaskEvent }[] = [];
  readonly #seqs = new Map<number, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #eventCount = 0;
  #watchers = new Set<() => void>();
  #random = 0;

  constructor(options: FakeNodeOptions = {}) {
    this.#options = options;
  }

  /** Stops tasks that would settle by themselves. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  // What a test does to tasks.

  /** Begins an attempt on a node; returns its number. */
  start(id: TaskId, node: string = names[0]): number {
    const task = this.#task(id);
    const attempt = task.view.attempts.length + 1;
    const now = Date.now();
    const view: AttemptView = {
      attempt,
      run: task.view.runs + 1,
      node: idOf(node),
      nodeName: node,
      assignedAtMs: now,
      startedAtMs: now,
    };
    const empty = new Uint8Array(0);
    task.output.set(attempt, { stdout: empty, stderr: empty, ended: false });
    this.#change(id, 'assigned', { state: 'assigned', reason: undefined }, attempt);
    this.#change(
      id,
      'started',
      { state: 'running', runs: task.view.runs + 1, attempts: [...task.view.attempts, view] },
      attempt,
    );
    return attempt;
  }

  /** Adds output to the newest attempt. */
  print(id: TaskId, text: string | Uint8Array, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const output = this.#newestOutput(id);
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    output[stream] = joinBytes(output[stream], bytes);
    this.#wake();
  }

  /** Ends the newest attempt and settles the task, or lets it wait for its next run. */
  finish(
    id: TaskId,
    kind: OutcomeKind = 'succeeded',
    more: Partial<Outcome> & { readonly settle?: boolean } = {},
  ): void {
    if (this.#task(id).view.state === 'waiting') this.start(id);
    const task = this.#task(id);
    const { settle, ...rest } = more;
    const output = this.#newestOutput(id);
    output.ended = true;
    const last = task.view.attempts.at(-1)!;
    const now = Date.now();
    const outcome: Outcome = {
      kind,
      exitCode: kind === 'succeeded' ? 0 : kind === 'failed' ? 1 : undefined,
      startedAtMs: last.startedAtMs ?? now,
      endedAtMs: now,
      userCpuMs: 1,
      systemCpuMs: 1,
      peakMemoryBytes: 1024 ** 2,
      stdoutBytes: output.stdout.length,
      stderrBytes: output.stderr.length,
      outputTruncated: false,
      tail: new TextDecoder().decode(output.stdout.slice(-4096)),
      message: '',
      ...rest,
    };
    const attempts = [
      ...task.view.attempts.slice(0, -1),
      { ...last, endedAtMs: now, outcome },
    ] as const;
    this.#change(id, 'attemptEnded', { attempts }, last.attempt, kind);
    const settles =
      settle ??
      (kind === 'succeeded' || kind === 'cancelled' || task.view.runs >= task.spec.attempts);
    if (!settles) {
      this.#change(id, 'unassigned', { state: 'waiting', reason: 'BackOff' });
      return;
    }
    const state: TaskState =
      kind === 'succeeded' ? 'succeeded' : kind === 'cancelled' ? 'cancelled' : 'failed';
    const deadLetter = state === 'failed' ? true : undefined;
    this.#change(id, 'settled', {
      state,
      outcome,
      settledAtMs: now,
      reason: undefined,
      deadLetter,
    });
  }

  // The verbs.

  authenticate(token: string): Identity | undefined {
    const tokens = this.#options.tokens ?? fakeTokens;
    return Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  }

  async submit(requests: readonly SubmitRequest[], actor: Actor): Promise<SubmitReply[]> {
    this.submitCalls.push({ requests, actor });
    return requests.map(request => this.#submitOne(request));
  }

  async resolve(text: string, tenant?: string): Promise<TaskId> {
    this.#mayFail();
    const whole = toTaskId(text);
    if (whole !== undefined) return whole;
    const ids = [...this.#tasks.keys()].filter(
      id => tenant === undefined || this.#tasks.get(id)?.spec.tenant === tenant,
    );
    if (text === 'last') {
      const last = ids.at(-1);
      if (last === undefined) throw new TschedError('unknownTask', 'there is no task yet');
      return last;
    }
    if (!/^[0-9a-z]{4,19}$/i.test(text)) {
      throw new TschedError('badId', `${JSON.stringify(text)} is not a task ID`);
    }
    const fitting = ids.filter(id => id.endsWith(text.toLowerCase()));
    if (fitting.length > 1) {
      throw new TschedError('ambiguousId', `${text} fits ${fitting.length} tasks`);
    }
    if (fitting[0] === undefined) throw new TschedError('unknownTask', `no task ends with ${text}`);
    return fitting[0];
  }

  async get(id: TaskId, consistency?: Consistency): Promise<TaskView> {
    this.#mayFail();
    const stale = this.#isStale(consistency);
    const { view } = this.#task(id);
    return stale ? { ...view, stale, staleMs: 12_000 } : view;
  }

  #isStale(consistency: Consistency | undefined): boolean {
    this.consistencies.push(consistency);
    if (!this.majority && consistency === 'linearizable') {
      throw new TschedError('noQuorum', 'shard 1 has no leader with a majority');
    }
    return !this.majority || consistency === 'local';
  }

  async spec(id: TaskId): Promise<TaskSpec> {
    this.#mayFail();
    return this.#task(id).spec;
  }

  #matching(filter: TaskFilter): TaskView[] {
    const { from = '', to = '~' } = idsOf(filter);
    return [...this.#tasks.values()]
      .filter(({ view, spec }) => matches(filter, view, () => spec))
      .map(({ view }) => view)
      .filter(({ id }) => id >= from && id < to);
  }

  /** Pages of two tasks; the cursor is the last ID. */
  async history(query: HistoryQuery): Promise<HistoryPage> {
    this.#mayFail();
    this.historyQueries.push(query);
    if (this.historyQueries.length === this.historyBreaksAt) throw new Error('broken by the test');
    const left = this.#matching(query)
      .filter(({ id, state }) => isSettled(state) && id > (query.cursor ?? ''))
      .sort((one, other) => (one.id < other.id ? -1 : 1));
    const tasks = left.slice(0, 2);
    const missingShard = this.historyQueries.length === 1 ? this.historyMissing : undefined;
    return { tasks, cursor: left.length > 2 ? tasks.at(-1)?.id : undefined, missingShard };
  }

  async list(query: ListQuery): Promise<ListPage> {
    this.#mayFail();
    const staleShards = this.#isStale(query.consistency) ? [1] : [];
    const all = this.#matching(query)
      .filter(
        view =>
          (query.deadLetters !== true || view.deadLetter === true) &&
          (query.cursor === undefined || view.id < query.cursor),
      )
      .sort((left, right) => (left.id < right.id ? 1 : -1));
    const tasks: TaskSummary[] = all.slice(0, query.limit).map(view => ({
      id: view.id,
      tenant: view.tenant,
      name: view.name,
      state: view.state,
      reason: view.reason,
      tier: view.tier,
      command: view.command,
      submittedAtMs: view.submittedAtMs,
      settledAtMs: view.settledAtMs,
      runs: view.runs,
      attemptsMax: view.attemptsMax,
      shard: view.shard,
      nodeName: view.attempts.at(-1)?.nodeName,
      outcome: query.deadLetters === true ? view.outcome : undefined,
    }));
    const more = all.length > query.limit;
    return { tasks, cursor: more ? tasks.at(-1)?.id : undefined, missingShards: [], staleShards };
  }

  async cancel(ids: readonly TaskId[], reason: string, actor: Actor): Promise<SubmitReply[]> {
    return ids.map((id): SubmitReply => {
      if (this.refusal !== undefined) return { ok: false, id, ...this.refusal };
      const task = this.#tasks.get(id);
      if (task === undefined) {
        return { ok: false, id, code: 'unknownTask', message: `no task ${id}` };
      }
      const { view } = task;
      const repeated = view.cancelRequested !== undefined;
      if (isSettled(view.state) && view.state !== 'cancelled') {
        return { ok: false, id, code: 'alreadySettled', message: `the task ${view.state}` };
      }
      if (!isSettled(view.state) && !repeated) {
        this.#change(id, 'cancelRequested', { cancelRequested: { reason, by: actor.name } });
        if (view.state === 'waiting') {
          this.#change(id, 'settled', { state: 'cancelled', reason, settledAtMs: Date.now() });
        } else this.finish(id, 'cancelled', { signal: 'SIGTERM' });
      }
      return { ok: true, id, shard: view.shard, repeated };
    });
  }

  async replay(ids: readonly TaskId[], actor: Actor): Promise<SubmitReply[]> {
    const replies: SubmitReply[] = [];
    for (const id of ids) {
      const task = this.#tasks.get(id);
      if (task?.view.deadLetter !== true) {
        replies.push({ ok: false, id, code: 'notDeadLetter', message: `${id} is no dead letter` });
        continue;
      }
      const [reply] = await this.submit([{ spec: task.spec, retryOf: id }], actor);
      if (reply?.ok) this.#bury(id);
      replies.push(reply!);
    }
    return replies;
  }

  async purge(ids: readonly TaskId[]): Promise<SubmitReply[]> {
    return ids.map((id): SubmitReply => {
      const task = this.#tasks.get(id);
      if (task === undefined) return { ok: false, id, code: 'unknownTask', message: `no ${id}` };
      const repeated = task.view.deadLetter !== true;
      this.#bury(id);
      return { ok: true, id, shard: task.view.shard, repeated };
    });
  }

  #bury(id: TaskId): void {
    const task = this.#task(id);
    this.#tasks.set(id, { ...task, view: { ...task.view, deadLetter: undefined } });
  }

  // Control and templates.

  readonly controlCalls: { readonly id: TaskId; readonly asked: TaskControl }[] = [];
  readonly #pauses = new Map<string, PlacementPause>();
  readonly #templates: TemplateView[] = [];

  async control(ids: readonly TaskId[], asked: TaskControl, actor: Actor): Promise<SubmitReply[]> {
    return ids.map((id): SubmitReply => {
      if (this.refusal !== undefined) return { ok: false, id, ...this.refusal };
      if (this.workflows.holds(id)) return { ok: true, id, shard: 3, repeated: false };
      const { view, spec } = this.#task(id);
      if (isSettled(view.state)) {
        return { ok: false, id, code: 'alreadySettled', message: `the task ${view.state}` };
      }
      this.controlCalls.push({ id, asked });
      const at = { by: actor.name, atMs: Date.now() };
      const repeated = asked.kind === 'resume' && view.paused === undefined;
      if (asked.kind === 'pause') {
        const { reason, suspend } = asked;
        this.#change(id, 'paused', { reason: 'Paused', paused: { ...at, reason, suspend } });
      } else if (asked.kind === 'resume') {
        this.#change(id, 'resumed', { reason: 'Queued', paused: undefined });
      } else {
        const set = writeUpdateDocument(spec, asked.overrides);
        this.#change(id, 'updated', { updated: { ...at, set } });
      }
      return { ok: true, id, shard: view.shard, repeated };
    });
  }

  plan(tasks: readonly { readonly spec: TaskSpec; readonly count: number }[]): PlannedTask[] {
    return tasks.map(({ spec, count }): PlannedTask => {
      const nodes: PlannedTask['nodes'] = [];
      if (spec.request.cpuMilli > total.cpuMilli) {
        const message = `cpu: ${spec.request.cpuMilli / 1_000} asked for`;
        return { verdict: 'refused', code: 'neverFits', message, places: [], waiting: 0, nodes };
      }
      const places = [{ node: idOf('node-a'), name: 'node-a', count: 1 }];
      if (count === 1) {
        return { verdict: 'starts', message: 'would start now', places, waiting: 0, nodes };
      }
      const waiting = count - 1;
      const message = `${waiting} of ${count} would wait`;
      return { verdict: 'waits', reason: 'Resources', message, places, waiting, nodes };
    });
  }

  pauses(): readonly PlacementPause[] {
    return [...this.#pauses.values()];
  }

  async pausePlacement(
    tenant: string,
    how: { readonly on: boolean; readonly suspend: boolean; readonly reason: string },
    token: string,
  ): Promise<readonly PlacementPause[]> {
    const by = this.authenticate(token)?.name ?? '';
    const { on, suspend, reason } = how;
    if (on) this.#pauses.set(tenant, { tenant, by, atMs: Date.now(), reason, suspend });
    else this.#pauses.delete(tenant);
    return this.pauses();
  }

  templates(tenant?: string): readonly TemplateView[] {
    const names = new Set(this.#templates.map(one => `${one.tenant}/${one.name}`));
    return [...names]
      .map(key => this.#templates.findLast(one => `${one.tenant}/${one.name}` === key)!)
      .filter(one => tenant === undefined || one.tenant === tenant);
  }

  templateRevisions(tenant: string, name: string): readonly TemplateView[] {
    return this.#templates.filter(one => one.tenant === tenant && one.name === name);
  }

  async putTemplate(
    template: Pick<TemplateView, 'tenant' | 'name' | 'description' | 'document'>,
    expected: number | undefined,
    token: string,
  ): Promise<TemplateView> {
    const before = this.templateRevisions(template.tenant, template.name).at(-1);
    const revision = before?.revision ?? 0;
    if (expected !== undefined && expected !== revision) {
      const code = expected === 0 ? 'templateTaken' : 'templateChanged';
      throw new TschedError(code, `the newest revision is ${revision}`);
    }
    const by = this.authenticate(token)?.name ?? '';
    const made = { ...template, revision: revision + 1, by, atMs: Date.now() };
    this.#templates.push(made);
    return made;
  }

  async dropTemplate(template: {
    readonly tenant: string;
    readonly name: string;
    readonly revision?: number | undefined;
  }): Promise<{ readonly repeated: boolean }> {
    const { tenant, name, revision } = template;
    const left = this.#templates.filter(
      one =>
        one.tenant !== tenant ||
        one.name !== name ||
        (revision !== undefined && one.revision !== revision),
    );
    const repeated = left.length === this.#templates.length;
    this.#templates.splice(0, this.#templates.length, ...left);
    return { repeated };
  }

  async wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<TaskView> {
    this.#mayFail();
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { view } = this.#task(id);
      if (isSettled(view.state) || Date.now() >= deadline) return view;
      if (signal.aborted) {
        this.waitsAborted++;
        return view;
      }
      await this.#changed(deadline - Date.now(), signal);
    }
  }

  async retry(id: TaskId, actor: Actor): Promise<SubmitReply> {
    const task = this.#task(id);
    if (!isSettled(task.view.state)) {
      return { ok: false, code: 'notSettled', message: `the task is ${task.view.state}` };
    }
    const spec = { ...task.spec, idempotencyKey: undefined };
    const [reply] = await this.submit([{ spec, retryOf: id }], actor);
    return reply!;
  }

  async output(query: OutputQuery): Promise<OutputPage> {
    this.#mayFail();
    const task = this.#task(query.id);
    const attempt = query.attempt ?? task.view.attempts.at(-1)?.attempt;
    const output = attempt === undefined ? undefined : task.output.get(attempt);
    if (attempt === undefined || output === undefined) {
      throw new TschedError('noOutput', 'no attempt of the task has started');
    }
    const deadline = Date.now() + query.waitMs;
    while (output[query.stream].length <= query.offset && !output.ended) {
      const left = deadline - Date.now();
      if (left <= 0) break;
      await this.#changed(left, undefined);
    }
    const all = output[query.stream];
    return {
      attempt,
      node: task.view.attempts.find(view => view.attempt === attempt)!.node,
      bytes: all.slice(query.offset, query.offset + query.maxBytes),
      size: all.length,
      ended: output.ended,
    };
  }

  async explain(id: TaskId): Promise<Explanation> {
    this.#mayFail();
    const { view } = this.#task(id);
    const waiting = view.state === 'waiting';
    return {
      id,
      state: view.state,
      reason: waiting ? ((view.reason ?? 'Queued') as WaitingReason) : 'Running',
      message: waiting ? 'No node has room for it now.' : `The task is ${view.state}.`,
      estimate: waiting ? { basis: 'none', sentence: 'nobody can say' } : undefined,
      decisions: [{ atMs: view.submittedAtMs, kind: 'submitted', sentence: 'taken' }],
      position: waiting ? 1 : undefined,
      readyInShard: waiting ? 1 : undefined,
      nodes: names.map(name => ({
        node: idOf(name),
        name,
        tier: 'regular',
        advertAgeMs: 400,
        verdict: { kind: 'resource', name: 'cpuMilli', wanted: 8_000, free: 1_000 },
        sentence: 'cpu: needs 8, free 1',
      })),
    };
  }

  async *events(
    cursor: string | undefined,
    filter: { readonly tenant?: string | undefined; readonly taskId?: TaskId | undefined },
    signal: AbortSignal,
  ): AsyncIterable<{ readonly cursor: string; readonly event: TaskEvent }> {
    let position = cursor === undefined ? this.#eventCount : Number(cursor);
    const oldest = this.#events[0]?.at ?? this.#eventCount + 1;
    if (!Number.isInteger(position) || position + 1 < oldest) {
      throw new TschedError('cursorExpired', `events before ${oldest} are not kept`);
    }
    this.eventStreams++;
    try {
      while (!signal.aborted) {
        const next = this.#events.find(entry => entry.at > position);
        if (next === undefined) {
          await this.#changed(60_000, signal);
          continue;
        }
        position = next.at;
        const { event } = next;
        if (filter.tenant !== undefined && event.tenant !== filter.tenant) continue;
        if (filter.taskId !== undefined && event.taskId !== filter.taskId) continue;
        yield { cursor: String(position), event };
      }
    } finally {
      this.eventStreams--;
    }
  }

  async nodes(options: { readonly all?: boolean | undefined } = {}): Promise<NodeSummary[]> {
    this.#mayFail();
    const present = names.filter(name => options.all === true || !this.#removed.has(name));
    return present.map(
      (name): NodeSummary => ({
        id: idOf(name),
        name,
        state: this.#removed.has(name) ? 'removed' : this.draining.has(name) ? 'draining' : 'up',
        stateSinceMs: 1_767_225_600_000,
        reachable: true,
        drain: this.#drainView(name),
        self: name === names[0],
        tier: 'regular',
        total,
        free: total,
        running: 0,
        queued: 0,
        leads: 2,
        replicas: 4,
        advertAgeMs: name === names[0] ? 0 : 350,
        httpAddress: `http://127.0.0.1:${7_000 + names.indexOf(name)}`,
        labels: { zone: 'a' },
        version: this.health().version,
        clusterVersion: 2,
      }),
    );
  }

  async node(idOrName: string): Promise<NodeDetail> {
    const found = (await this.nodes({ all: true })).find(
      node => node.id === idOrName || node.name === idOrName || (idOrName === 'self' && node.self),
    );
    if (found === undefined) throw new TschedError('unknownNode', `no node ${idOrName}`);
    return {
      ...found,
      addresses: ['/ip4/127.0.0.1/tcp/9001'],
      storeId: '00112233445566778899aabbccddeeff',
      bootCount: 1,
      isolation: found.self ? { tree: 'cgroup2' } : undefined,
      vitals: { slow: false, batchMs: 4, batchMaxMs: 31, lagMs: 0, lagMaxMs: 7, diskLow: false },
    };
  }

  /** Replicas left on a draining node: one less each time it is looked at. */
  #drainView(name: string): DrainView | undefined {
    const left = this.draining.get(name);
    if (left === undefined) return undefined;
    if (left.replicas > 0) left.replicas -= 1;
    return {
      replicasLeft: left.replicas,
      leadsLeft: 0,
      attemptsLeft: 0,
      deadlineMs: left.deadlineMs,
      drained: left.replicas === 0,
    };
  }

  async drainNode(...[idOrName, options]: Parameters<NodeApi['drainNode']>): Promise<NodeDetail> {
    const { name } = await this.node(idOrName);
    if (!options.on) this.draining.delete(name);
    else if (this.draining.size > 0 && !options.force) {
      throw new TschedError('tooFewNodes', 'shards 1-4 would go from 3 voters to 1');
    } else if (!this.draining.has(name)) {
      this.draining.set(name, { replicas: 4, deadlineMs: options.deadlineMs });
    }
    return this.node(idOrName);
  }

  async removeNode(...[idOrName]: Parameters<NodeApi['removeNode']>): Promise<NodeDetail> {
    const { name, state } = await this.node(idOrName);
    if (state !== 'draining') throw new TschedError('notDrained', `node ${name} is ${state}`);
    this.draining.delete(name);
    this.#removed.add(name);
    return this.node(idOrName);
  }

  async moves(without?: string): Promise<ShardMoves[]> {
    if (without === undefined) return this.pendingMoves.splice(0, 1);
    const { name } = await this.node(without);
    return [{ shard: 1, adds: ['node-d'], removes: [name], promotes: [], demotes: [] }];
  }

  async shards(): Promise<ShardSummary[]> {
    this.#mayFail();
    const views = [...this.#tasks.values()].map(task => task.view);
    return Array.from({ length: this.#shardCount }, (_, position) => {
      const shard = position + 1;
      const mine = views.filter(view => view.shard === shard);
      return {
        shard,
        term: 2,
        leader: idOf(names[position % 3]!),
        voters: names.map(idOf),
        learners: [],
        firstIndex: 1,
        commit: 10 + mine.length,
        applied: 10 + mine.length,
        waiting: mine.filter(view => view.state === 'waiting').length,
        running: mine.filter(view => view.state === 'running').length,
        settled: mine.filter(view => isSettled(view.state)).length,
        state: 'ok',
      };
    });
  }

  replicas(): readonly ReplicaSummary[] {
    return Array.from({ length: this.#shardCount + 1 }, (_, shard) => ({
      ...{ shard, leading: shard === 1, term: 2, applied: 10, digest: '0123abcd' },
    }));
  }

  health(): HealthView {
    return {
      ready: this.ready,
      node: idOf(names[0]),
      name: names[0],
      clusterId: 'fakecluster',
      version: this.#options.version ?? '0.0.0-fake',
    };
  }

  async clusterHealth(): Promise<ClusterHealth> {
    this.#mayFail();
    return {
      ok: this.ready,
      nodes: 3,
      nodesUp: 3,
      nodesByState: { up: 3 },
      shards: this.#shardCount,
      shardsWithoutLeader: [],
      shardsGrowing: 0,
      replication: 3,
      clusterVersion: 2,
      problems: this.ready ? [] : ['The node is starting.'],
    };
  }

  readonly #settings = new Map<string, string>();

  settings(): readonly SettingView[] {
    const value = this.#settings.get('history.maxAge') ?? '7d';
    return [{ name: 'history.maxAge', value, default: '7d', meaning: 'How long it is kept.' }];
  }

  async changeSettings(values: Readonly<Record<string, string>>): Promise<readonly SettingView[]> {
    for (const [name, value] of Object.entries(values)) {
      if (name !== 'history.maxAge') {
        throw new TschedError('badRequest', `there is no setting "${name}"`);
      }
      if (value === '') this.#settings.delete(name);
      else this.#settings.set(name, value);
    }
    return this.settings();
  }

  readonly #tiers = new Map<Tier, TierValues>();

  tiers(): TierBundles {
    return tierBundles(tier => this.#tiers.get(tier));
  }

  async setTier(tier: Tier, changes: readonly TierChange[]): Promise<TierBundles> {
    this.#tiers.set(tier, changeTier(this.#tiers.get(tier) ?? {}, changes));
    return this.tiers();
  }

  readonly reserved: ReservationView[] = [];

  reservations(tenant?: string): readonly ReservationView[] {
    return this.reserved.filter(one => tenant === undefined || one.tenant === tenant);
  }

  async reserve(ask: ReservationAsk): Promise<ReservationView> {
    const { name, tenant, amount, untilMs } = ask;
    if (this.reserved.some(one => one.name === name)) {
      throw new TschedError('reservationTaken', `the reservation ${name} has this name`);
    }
    const on = ask.nodes.length > 0 ? ask.nodes : names.slice(0, ask.count);
    const used = { ...noResources, cpuMilli: 500 };
    const parts = on.map(node => ({ node: idOf(node), nodeName: node, held: true, used }));
    const made = { name, tenant, by: 'admin', createdAtMs: Date.now(), untilMs, amount, parts };
    this.reserved.push(made);
    return made;
  }

  async releaseReservation(name: string): Promise<void> {
    const at = this.reserved.findIndex(one => one.name === name);
    if (at < 0) throw new TschedError('unknownReservation', `there is no reservation "${name}"`);
    this.reserved.splice(at, 1);
  }

  async joinToken(): Promise<string> {
    return 'tsched1_fake-join-token';
  }

  async stopNode(options: { readonly endTasks: boolean }): Promise<void> {
    this.stopCalls.push(options);
  }

  metrics(): ReturnType<NodeApi['metrics']> {
    const help = 'Tasks of the node by state.';
    const count = (state: TaskState): number =>
      [...this.#tasks.values()].filter(task => task.view.state === state).length;
    return [
      {
        name: 'tsched_tasks',
        help,
        kind: 'gauge',
        value: count('waiting'),
        labels: { state: 'waiting' },
      },
      {
        name: 'tsched_tasks',
        help,
        kind: 'gauge',
        value: count('succeeded'),
        labels: { state: 'succeeded' },
      },
      {
        name: 'tsched_events_total',
        help: 'Events.',
        kind: 'counter',
        value: this.#eventCount,
      },
    ];
  }

  // Inside.

  get #shardCount(): number {
    return this.#options.shards ?? 4;
  }

  #mayFail(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  #task(id: TaskId): Task {
    const task = this.#tasks.get(id);
    if (task === undefined) throw new TschedError('unknownTask', `no task ${id}`);
    return task;
  }

  #newestOutput(id: TaskId): { stdout: Uint8Array; stderr: Uint8Array; ended: boolean } {
    const task = this.#task(id);
    const output = task.output.get(task.view.attempts.length);
    if (output === undefined) throw new Error(`task ${id} has not been started`);
    return output;
  }

  #submitOne(request: SubmitRequest): SubmitReply {
    if (this.refusal !== undefined) {
      return { ok: false, id: request.id, ...this.refusal };
    }
    const { spec } = request;
    const key =
      spec.idempotencyKey === undefined ? undefined : `${spec.tenant}\0${spec.idempotencyKey}`;
    const keyed = key === undefined ? undefined : this.#keys.get(key);
    const known =
      keyed ?? (request.id !== undefined && this.#tasks.has(request.id) ? request.id : undefined);
    if (known !== undefined) {
      const task = this.#task(known);
      if (Buffer.compare(encodeSpec(task.spec), encodeSpec(spec)) === 0) {
        return { ok: true, id: known, shard: task.view.shard, repeated: true };
      }
      const code = keyed === undefined ? 'idTaken' : 'keyConflict';
      return { ok: false, id: known, code, message: `task ${known} differs` };
    }
    const id = request.id ?? this.#drawId(spec);
    if (key !== undefined) this.#keys.set(key, id);
    const shard = (slotOfId(id) % this.#shardCount) + 1;
    const { run } = spec;
    const view: TaskView = {
      id,
      tenant: spec.tenant,
      owner: spec.owner,
      name: spec.name,
      state: 'waiting',
      reason: 'Queued',
      attempts: [],
      runs: 0,
      attemptsMax: spec.attempts,
      lost: 0,
      tier: spec.tier,
      command: run.kind === 'command' ? run.argv.join(' ') : run.kind === 'null' ? '' : run.name,
      submittedAtMs: Date.now(),
      shard,
      retryOf: request.retryOf,
      arrayId: request.arrayId,
      arrayIndex: request.arrayIndex,
      stale: false,
    };
    this.#tasks.set(id, { spec, view, output: new Map() });
    this.#change(id, 'submitted', {});
    this.#settleLater(id);
    return { ok: true, id, shard, repeated: false };
  }

  #settleLater(id: TaskId): void {
    const { settleAfterMs } = this.#options;
    if (settleAfterMs === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!isSettled(this.#task(id).view.state)) this.finish(id);
    }, settleAfterMs);
    this.#timers.add(timer);
  }

  #drawId(spec: TaskSpec): TaskId {
    const random = this.#random++;
    return formatTaskId({
      atMs: Date.now(),
      slot: keySlot(spec) ?? (random * 7) % slotCount,
      random,
    });
  }

  #change(
    id: TaskId,
    kind: EventKind,
    changes: Partial<TaskView>,
    attempt?: number,
    outcome?: OutcomeKind,
  ): void {
    const task = this.#task(id);
    task.view = { ...task.view, ...changes };
    const { shard, state, tenant } = task.view;
    const seq = (this.#seqs.get(shard) ?? 0) + 1;
    this.#seqs.set(shard, seq);
    this.#events.push({
      at: ++this.#eventCount,
      event: { shard, seq, atMs: Date.now(), kind, taskId: id, tenant, state, attempt, outcome },
    });
    if (this.#events.length > (this.#options.eventsMax ?? 10_000)) this.#events.shift();
    this.#wake();
  }

  #wake(): void {
    const watchers = this.#watchers;
    if (watchers.size === 0) return;
    this.#watchers = new Set();
    for (const watcher of watchers) watcher();
  }

  /** Resolves at the next change, when the time is over, or when `signal` aborts. */
  #changed(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal?.addEventListener('abort', done);
      this.#watchers.add(done);
    });
  }
}
