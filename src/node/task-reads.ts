/**
 * Reading tasks: one by ID, listings, resolution of short IDs, explanations, output. A read goes to
 * the leader of the shard and is confirmed by a majority there; where no leader answers, a replica at
 * hand serves it and says that it may be stale.
 */
import { TschedError } from '../model/errors.ts';
import { type NodeId, type ShardId, slotOfId, type TaskId, toTaskId } from '../model/ids.ts';
import type { Demand } from '../model/planning.ts';
import type { SlotTable } from '../model/slots.ts';
import { decodeSpec, type TaskSpec } from '../model/spec.ts';
import { isSettled, type TaskSummary, type TaskView } from '../model/task.ts';
import { sentence, verdicts } from '../placement/explain.ts';
import type {
  Explanation,
  ListPage,
  ListQuery,
  OutputPage,
  OutputQuery,
} from '../ports/node-api.ts';
import type { Runner } from '../ports/runner.ts';
import type { Store } from '../ports/store.ts';
import { specKey, taskKey, taskRange } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { toView } from '../shard/view.ts';
import { attemptKey } from '../worker/reactor.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import type { Scheduler } from './scheduler.ts';

const readTimeoutMs = 2_500;
/** Rows of one shard that a listing looks at for one page; the cursor goes on from there. */
const scanRowsMax = 5_000;
const specCacheMax = 256;

interface ListAnswer {
  readonly tasks: TaskSummary[];
  /** Lowest ID that was looked at, for each shard that has more. */
  readonly more: Record<string, string>;
}

export class TaskReads {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #runner: Runner;
  readonly #table: () => SlotTable;
  readonly #shards: () => number;
  readonly #nodeOf: (nodeId: NodeId) => string;
  readonly #specs = new Map<string, TaskSpec>();
  readonly #settleListeners = new Map<TaskId, Set<() => void>>();

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly store: Store;
    readonly runner: Runner;
    readonly table: () => SlotTable;
    readonly shards: () => number;
    readonly nodeOf: (nodeId: NodeId) => string;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#store = deps.store;
    this.#runner = deps.runner;
    this.#table = deps.table;
    this.#shards = deps.shards;
    this.#nodeOf = deps.nodeOf;
    this.#serve();
  }

  shardOf(id: TaskId): ShardId {
    const shard = this.#table()[slotOfId(id)];
    if (shard === undefined)
      throw new TschedError('starting', 'this node does not know the shards yet');
    return shard;
  }

  /** Called by the node for every task that settled in a replica here. */
  settled(id: TaskId): void {
    const listeners = this.#settleListeners.get(id);
    if (listeners === undefined) return;
    this.#settleListeners.delete(id);
    for (const listener of listeners) listener();
  }

  async get(id: TaskId): Promise<TaskView> {
    return this.#fromShard(this.shardOf(id), 'get', { id });
  }

  async spec(id: TaskId): Promise<TaskSpec> {
    const shard = this.shardOf(id);
    const answer = await this.#fromShard<{ spec: string }>(shard, 'spec', { id });
    return decodeSpec(Buffer.from(answer.spec, 'base64'));
  }

  async explain(id: TaskId): Promise<Explanation> {
    return this.#fromShard(this.shardOf(id), 'explain', { id });
  }

  /**
   * Asks the shard's leader, then any replica for a stale answer. Errors that are answers (no such
   * task) come from the leader or from nobody.
   */
  async #fromShard<T>(shard: ShardId, method: string, body: { id: TaskId }): Promise<T> {
    const { peers, clock } = this.#context;
    const deadlineMs = clock.nowMs() + readTimeoutMs;
    let asked = false;
    while (!asked || clock.nowMs() < deadlineMs) {
      asked = true;
      const leader = this.#context.leaderOf(shard);
      if (leader !== undefined) {
        try {
          const leftMs = Math.max(100, deadlineMs - clock.nowMs());
          return await peers.ask<T>(leader, method, { shard, stale: false, ...body }, leftMs);
        } catch (error) {
          if (!(error instanceof TschedError) || !isPassing(error)) throw error;
        }
      } else if (!this.#mayHaveLeader(shard)) break;
      await new Promise<void>(resolve => clock.after(50, resolve));
    }
    for (const node of this.#holders(shard)) {
      try {
        return await peers.ask<T>(node, method, { shard, stale: true, ...body }, 1_000);
      } catch (error) {
        if (!(error instanceof TschedError) || !isPassing(error)) throw error;
      }
    }
    throw new TschedError('noQuorum', `no replica of shard ${shard} can be reached`);
  }

  /** Whether an election may be under way that is worth waiting for. */
  #mayHaveLeader(_shard: ShardId): boolean {
    return true;
  }

  /** Nodes that hold a replica of a shard, this one first. */
  #holders(shard: ShardId): NodeId[] {
    const { loop, nodeId, peers } = this.#context;
    const local = loop.replica(shard);
    const nodes = local?.members().map(member => member.node) ?? this.#reported(shard);
    const others = nodes.filter(node => node !== nodeId && peers.connected(node));
    return local === undefined ? others : [nodeId, ...others];
  }

  #reported: (shard: ShardId) => NodeId[] = () => [];

  /** Where the registry says that a shard's replicas are. */
  useReported(reported: (shard: ShardId) => NodeId[]): void {
    this.#reported = reported;
  }

  #serve(): void {
    const { peers } = this.#context;
    type Asked = { shard: ShardId; stale: boolean; id: TaskId };
    peers.answer<Asked>('get', async (_from, body) => {
      const { machine, replica } = await this.#confirmed(body.shard, body.stale);
      return this.#view(machine, replica, body.id, body.stale);
    });
    peers.answer<Asked>('spec', async (_from, body) => {
      const { machine } = await this.#confirmed(body.shard, body.stale);
      const record = this.#record(machine, body.shard, body.id);
      const bytes = this.specBytes(machine, body.shard, record.digest);
      return { spec: Buffer.from(bytes ?? []).toString('base64') };
    });
    peers.answer<Asked>('explain', async (_from, body) => {
      const { machine, replica } = await this.#confirmed(body.shard, body.stale);
      return this.#explain(machine, replica, body.id, body.stale);
    });
    peers.answer<{ shards: ShardId[]; query: ListQuery; below: Record<string, string> }>(
      'list',
      (_from, body) => this.#listHere(body.shards, body.query, body.below),
    );
    peers.answer<{
      key: string;
      stream: 'stdout' | 'stderr';
      offset: number;
      maxBytes: number;
      waitMs: number;
    }>('output', async (_from, body) => {
      const page = await this.#outputHere(body);
      return { ...page, bytes: Buffer.from(page.bytes).toString('base64') };
    });
  }

  async #confirmed(
    shard: ShardId,
    stale: boolean,
  ): Promise<{ replica: Replica; machine: ShardMachine }> {
    const replica = this.#context.loop.replica(shard);
    if (replica === undefined) {
      throw new TschedError('notLeader', `this node has no replica of shard ${shard}`);
    }
    if (!stale) {
      if (!replica.leading)
        throw new TschedError('notLeader', `this node does not lead shard ${shard}`);
      await this.#within(this.#context.loop.read(replica), readTimeoutMs, shard);
    }
    return { replica, machine: replica.machine as unknown as ShardMachine };
  }

  #within<T>(work: Promise<T>, limitMs: number, shard: ShardId): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#context.clock.after(limitMs, () =>
        reject(new TschedError('notLeader', `shard ${shard} could not confirm its leader in time`)),
      );
      work.then(
        value => {
          cancel();
          resolve(value);
        },
        (error: unknown) => {
          cancel();
          reject(error);
        },
      );
    });
  }

  #record(machine: ShardMachine, shard: ShardId, id: TaskId): TaskRecord {
    const hot = machine.record(id);
    if (hot !== undefined) return hot;
    const row = this.#store.row(shard, taskKey(id));
    if (row === undefined) throw new TschedError('unknownTask', `there is no task ${id}`);
    return decodeTaskRow(row);
  }

  /** Bytes of a spec, from memory or from the disk. */
  specBytes(machine: ShardMachine, shard: ShardId, digest: string): Uint8Array | undefined {
    return machine.specBytes(digest) ?? this.#store.row(shard, specKey(digest));
  }

  #spec(machine: ShardMachine, shard: ShardId, digest: string): TaskSpec {
    const cached = this.#specs.get(digest);
    if (cached !== undefined) return cached;
    const bytes = this.specBytes(machine, shard, digest);
    if (bytes === undefined) {
      throw new TschedError(
        'storageFault',
        `the specification ${digest} is missing in shard ${shard}`,
      );
    }
    const spec = decodeSpec(bytes);
    if (this.#specs.size >= specCacheMax) {
      const oldest = this.#specs.keys().next();
      if (!oldest.done) this.#specs.delete(oldest.value);
    }
    this.#specs.set(digest, spec);
    return spec;
  }

  #view(machine: ShardMachine, replica: Replica, id: TaskId, stale: boolean): TaskView {
    const record = this.#record(machine, replica.group, id);
    const spec = this.#spec(machine, replica.group, record.digest);
    return toView(record, spec, {
      stale,
      shard: replica.group,
      reason: record.state === 'waiting' ? this.#reason(record, spec, stale) : undefined,
    });
  }

  #reason(record: TaskRecord, spec: TaskSpec, stale: boolean): string {
    if (stale) return 'ShardNoQuorum';
    if (record.backedOff && record.readySinceMs > this.#context.clock.wallMs()) return 'BackOff';
    return this.#scheduler.reasonFor(demandOf(spec));
  }

  #explain(machine: ShardMachine, replica: Replica, id: TaskId, stale: boolean): Explanation {
    const record = this.#record(machine, replica.group, id);
    const spec = this.#spec(machine, replica.group, record.digest);
    const nowMs = this.#context.clock.nowMs();
    const wallMs = this.#context.clock.wallMs();
    const place = record.state === 'waiting' ? machine.position(id, wallMs) : undefined;
    const views = this.#scheduler.views();
    const judged = verdicts(demandOf(spec), record.avoid, views, nowMs);
    const reason = record.state === 'waiting' ? this.#reason(record, spec, stale) : undefined;
    return {
      id,
      state: record.state,
      reason,
      message: explainState(record, reason, this.#nodeOf),
      position: place?.position,
      readyInShard: place?.ready,
      nodes: views.map((view, position) => ({
        node: view.advertisement.node,
        name: view.advertisement.name,
        tier: view.advertisement.tier,
        advertAgeMs: Math.round(view.ageMs),
        verdict: judged[position]!.verdict,
        sentence: sentence(judged[position]!.verdict),
      })),
    };
  }

  /** Newest first, over all shards; what did not answer is named. */
  async list(query: ListQuery): Promise<ListPage> {
    const below = decodeCursor(query.cursor);
    const byNode = new Map<NodeId, ShardId[]>();
    const missing: ShardId[] = [];
    for (let shard = 1; shard <= this.#shards(); shard++) {
      if (below?.done.has(shard)) continue;
      const leader = this.#context.leaderOf(shard);
      const node =
        leader !== undefined && this.#context.peers.connected(leader)
          ? leader
          : this.#holders(shard)[0];
      if (node === undefined) missing.push(shard);
      else byNode.set(node, [...(byNode.get(node) ?? []), shard]);
    }
    const answers = await Promise.all(
      [...byNode].map(async ([node, shards]) => {
        try {
          const bounds = below?.below ?? {};
          const answer = await this.#context.peers.ask<ListAnswer>(
            node,
            'list',
            { shards, query, below: bounds },
            readTimeoutMs,
          );
          return answer;
        } catch (error) {
          if (!(error instanceof TschedError)) throw error;
          missing.push(...shards);
          return { tasks: [], more: {} };
        }
      }),
    );
    const tasks = answers.flatMap(answer => answer.tasks);
    tasks.sort((left, right) => (left.id < right.id ? 1 : -1));
    const page = tasks.slice(0, query.limit);
    const cursor = nextCursor(answers, tasks, page, this.#shards(), new Set(missing));
    return { tasks: page, cursor, missingShards: missing.sort((left, right) => left - right) };
  }

  async #listHere(
    shards: readonly ShardId[],
    query: ListQuery,
    below: Readonly<Record<string, string>>,
  ): Promise<ListAnswer> {
    const tasks: TaskSummary[] = [];
    const more: Record<string, string> = {};
    for (const shard of shards) {
      const replica = this.#context.loop.replica(shard);
      if (replica === undefined)
        throw new TschedError('notLeader', `no replica of shard ${shard} here`);
      // What is in memory only goes to the disk first: then one ordered read sees everything.
      if (replica.machine.dirtyRows > 0) await this.#context.loop.flush(replica);
      const lowest = await this.#listShard(replica, query, below[shard], tasks);
      if (lowest !== undefined) more[shard] = lowest;
    }
    return { tasks, more };
  }

  async #listShard(
    replica: Replica,
    query: ListQuery,
    below: string | undefined,
    into: TaskSummary[],
  ): Promise<string | undefined> {
    const machine = replica.machine as unknown as ShardMachine;
    const range = taskRange();
    let to = below === undefined ? range.to : taskKey(below as TaskId);
    let found = 0;
    let scanned = 0;
    let lowest: string | undefined;
    while (found < query.limit && scanned < scanRowsMax) {
      const limit = Math.min(256, query.limit - found);
      const rows = await this.#store.rows(replica.group, {
        from: range.from,
        to,
        limit,
        reverse: true,
      });
      for (const [key, value] of rows) {
        const stored = decodeTaskRow(value);
        const record = machine.record(stored.id) ?? stored;
        lowest = record.id;
        scanned++;
        to = key;
        if (!this.#matches(machine, replica.group, record, query)) continue;
        into.push(this.#summary(machine, replica.group, record));
        found++;
      }
      if (rows.length < limit) return undefined;
    }
    return lowest;
  }

  #matches(machine: ShardMachine, shard: ShardId, record: TaskRecord, query: ListQuery): boolean {
    if (query.states !== undefined && !query.states.includes(record.state)) return false;
    if (query.tenant !== undefined && record.tenant !== query.tenant) return false;
    if (query.namePrefix === undefined) return true;
    return this.#spec(machine, shard, record.digest).name.startsWith(query.namePrefix);
  }

  #summary(machine: ShardMachine, shard: ShardId, record: TaskRecord): TaskSummary {
    const spec = this.#spec(machine, shard, record.digest);
    const waiting = record.state === 'waiting';
    const view = toView(record, spec, {
      stale: false,
      shard,
      reason: waiting ? this.#reason(record, spec, false) : undefined,
    });
    const last = view.attempts[view.attempts.length - 1];
    return {
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
      nodeName: last?.nodeName,
    };
  }

  /** The whole ID behind what a person typed. */
  async resolve(text: string, tenant?: string): Promise<TaskId> {
    const whole = toTaskId(text);
    if (whole !== undefined) return whole;
    if (text === 'last') {
      const page = await this.list({ limit: 1, tenant });
      const [newest] = page.tasks;
      if (newest === undefined) throw new TschedError('unknownTask', 'no task was submitted yet');
      return newest.id;
    }
    const ending = text.toLowerCase();
    if (!/^[0-9a-z]{4,19}$/.test(ending)) {
      throw new TschedError(
        'badId',
        `"${text}" is not a task ID: 20 characters, or at least its last 4`,
      );
    }
    const page = await this.list({ limit: scanRowsMax, tenant });
    const found = page.tasks.filter(task => task.id.endsWith(ending));
    const [only] = found;
    if (only === undefined) {
      throw new TschedError(
        'unknownTask',
        `none of the newest tasks has an ID that ends in ${ending}`,
      );
    }
    if (found.length > 1) {
      const some = found
        .slice(0, 4)
        .map(task => task.id)
        .join(', ');
      throw new TschedError('ambiguousId', `${found.length} IDs end in ${ending}: ${some}`);
    }
    return only.id;
  }

  /** The task once it has settled, or as it is when the time is up. */
  async wait(id: TaskId, timeoutMs: number, signal: AbortSignal): Promise<TaskView> {
    const { clock } = this.#context;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const local = this.#context.loop.replica(this.shardOf(id)) !== undefined;
    for (;;) {
      const settled = this.#nextSettle(id, signal);
      try {
        const view = await this.get(id);
        const leftMs = deadlineMs - clock.nowMs();
        if (isSettled(view.state) || leftMs <= 0 || signal.aborted) return view;
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

  async output(query: OutputQuery): Promise<OutputPage> {
    const view = await this.get(query.id);
    const attempt =
      query.attempt === undefined
        ? view.attempts.findLast(one => one.startedAtMs !== undefined || one.outcome !== undefined)
        : view.attempts.find(one => one.attempt === query.attempt);
    if (attempt === undefined) {
      const which =
        query.attempt === undefined
          ? 'no attempt has started'
          : `there is no attempt ${query.attempt}`;
      throw new TschedError('noOutput', `task ${query.id}: ${which}; it is ${view.state}`);
    }
    const body = {
      key: attemptKey(query.id, attempt.attempt),
      stream: query.stream,
      offset: query.offset,
      maxBytes: query.maxBytes,
      waitMs: Math.min(query.waitMs, 10_000),
    };
    const nodeName = this.#nodeOf(attempt.node);
    if (attempt.node === this.#context.nodeId) {
      return { attempt: attempt.attempt, node: nodeName, ...(await this.#outputHere(body)) };
    }
    if (!this.#context.peers.connected(attempt.node)) {
      throw new TschedError(
        'nodeUnreachable',
        `the output is on node ${nodeName}, which is not connected`,
      );
    }
    const answer = await this.#context.peers.ask<{ bytes: string; size: number; ended: boolean }>(
      attempt.node,
      'output',
      body,
      body.waitMs + 3_000,
    );
    return {
      attempt: attempt.attempt,
      node: nodeName,
      bytes: new Uint8Array(Buffer.from(answer.bytes, 'base64')),
      size: answer.size,
      ended: answer.ended,
    };
  }

  async #outputHere(body: {
    key: string;
    stream: 'stdout' | 'stderr';
    offset: number;
    maxBytes: number;
    waitMs: number;
  }): Promise<{ bytes: Uint8Array; size: number; ended: boolean }> {
    const { clock } = this.#context;
    const deadlineMs = clock.nowMs() + body.waitMs;
    const maxBytes = Math.min(body.maxBytes, 1024 * 1024);
    for (;;) {
      const chunk = await this.#runner.output(body.key, body.stream, body.offset, maxBytes);
      if (chunk === undefined) {
        throw new TschedError(
          'noOutput',
          `this node has no output of attempt ${body.key} any more`,
        );
      }
      if (chunk.bytes.length > 0 || chunk.ended || clock.nowMs() >= deadlineMs) return chunk;
      await new Promise<void>(resolve => clock.after(100, resolve));
    }
  }
}

export function demandOf(spec: TaskSpec): Demand {
  const request = Object.values(spec.request).join(',');
  const require = spec.require.map(([name, value]) => `${name}=${value}`).join(',');
  return {
    key: `${spec.tier}|${request}|${require}`,
    tier: spec.tier,
    request: spec.request,
    require: spec.require,
  };
}

const isPassing = (error: TschedError): boolean =>
  ['notLeader', 'nodeUnreachable', 'outcomeUnknown', 'starting', 'noQuorum'].includes(error.code);

function explainState(
  record: TaskRecord,
  reason: string | undefined,
  nodeOf: (id: NodeId) => string,
): string {
  const last = record.attempts[record.attempts.length - 1];
  const where = last === undefined ? '' : ` on node ${nodeOf(last.node)}`;
  switch (record.state) {
    case 'waiting':
      return waitingSentence(reason);
    case 'assigned':
      return `assigned to attempt ${record.fence}${where}; it has not started yet`;
    case 'running':
      return `attempt ${record.fence} runs${where}`;
    default:
      return record.reason === ''
        ? `settled: ${record.state}`
        : `settled: ${record.state}, ${record.reason}`;
  }
}

function waitingSentence(reason: string | undefined): string {
  switch (reason) {
    case 'Resources':
      return 'waits for free resources: every node that could run it is full';
    case 'TierUnavailable':
      return 'no node at hand has the tier and labels it asks for';
    case 'NoNodes':
      return 'no node that could run anything has been heard of lately';
    case 'NeverFits':
      return 'no node at hand is large enough, even when empty';
    case 'BackOff':
      return 'waits for its back-off before the next attempt';
    case 'ShardNoQuorum':
      return 'its shard has no leader with a majority; what is shown may be old';
    default:
      return 'ready, and not yet looked at by the planner';
  }
}

/** A cursor holds, per shard with more, the ID below which to go on; shards not in it are done. */
function decodeCursor(
  cursor: string | undefined,
): { below: Record<string, string>; done: { has(shard: number): boolean } } | undefined {
  if (cursor === undefined) return undefined;
  try {
    const below = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Record<string, string>;
    for (const id of Object.values(below)) {
      if (toTaskId(id) === undefined && id !== '') throw new Error('bad id');
    }
    const open = Object.fromEntries(Object.entries(below).filter(([, id]) => id !== ''));
    return { below: open, done: { has: shard => below[shard] === undefined } };
  } catch (cause) {
    throw new TschedError(
      'badRequest',
      'the cursor is not one that a listing gave',
      { field: 'cursor' },
      cause,
    );
  }
}

function nextCursor(
  answers: readonly ListAnswer[],
  tasks: readonly TaskSummary[],
  page: readonly TaskSummary[],
  shards: number,
  missing: ReadonlySet<number>,
): string | undefined {
  const more: Record<string, string> = Object.assign({}, ...answers.map(answer => answer.more));
  const shown = new Set(page.map(task => task.id));
  // Below a shard's last shown task, where some of its tasks were cut off this page.
  const cut = tasks.filter(task => !shown.has(task.id));
  const lastShown = new Map<number, string>();
  for (const task of page) lastShown.set(task.shard, task.id);
  for (const task of cut) {
    const last = lastShown.get(task.shard);
    more[task.shard] = last ?? '';
  }
  for (const shard of missing) if (shard <= shards) more[shard] ??= '';
  if (
    Object.keys(more).length === 0 ||
    (cut.length === 0 && page.length === 0 && missing.size > 0)
  ) {
    return undefined;
  }
  const onlyMissing = Object.keys(more).every(shard => missing.has(Number(shard)));
  return onlyMissing ? undefined : Buffer.from(JSON.stringify(more)).toString('base64url');
}
