/**
 * Listings over all shards, newest first, and what rests on them: the whole ID behind a short one. A
 * page asks the leader of every shard once; shards that do not answer are named.
 */
import { TschedError } from '../model/errors.ts';
import { type NodeId, type ShardId, type TaskId, toTaskId } from '../model/ids.ts';
import type { TaskSummary } from '../model/task.ts';
import type { ListPage, ListQuery } from '../ports/node-api.ts';
import type { Store } from '../ports/store.ts';
import { taskKey, taskRange } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { toView } from '../shard/view.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import { readTimeoutMs, type ShardAccess } from './shard-access.ts';

/** Rows of one shard that a listing looks at for one page; the cursor goes on from there. */
const scanRowsMax = 5_000;

interface ListAnswer {
  readonly tasks: TaskSummary[];
  /** Lowest ID that was looked at, for each shard that has more. */
  readonly more: Record<string, string>;
}

export class TaskList {
  readonly #context: NodeContext;
  readonly #access: ShardAccess;
  readonly #store: Store;
  readonly #shards: () => number;

  constructor(deps: {
    readonly context: NodeContext;
    readonly access: ShardAccess;
    readonly store: Store;
    readonly shards: () => number;
  }) {
    this.#context = deps.context;
    this.#access = deps.access;
    this.#store = deps.store;
    this.#shards = deps.shards;
    this.#context.peers.answer<{
      shards: ShardId[];
      query: ListQuery;
      below: Record<string, string>;
    }>('list', (_from, body) => this.#listHere(body.shards, body.query, body.below));
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
          : this.#access.holders(shard)[0];
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
    return this.#access.spec(machine, shard, record.digest).name.startsWith(query.namePrefix);
  }

  #summary(machine: ShardMachine, shard: ShardId, record: TaskRecord): TaskSummary {
    const spec = this.#access.spec(machine, shard, record.digest);
    const waiting = record.state === 'waiting';
    const view = toView(record, spec, {
      stale: false,
      shard,
      reason: waiting ? this.#access.reason(record, spec, false) : undefined,
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
