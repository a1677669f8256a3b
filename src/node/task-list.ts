/**
 * Listings over all shards, newest first, and what rests on them: the whole ID behind a short one.
 * A page asks the leader of every shard once; shards that do not answer are named.
 */
import { TschedError } from '../model/errors.ts';
import { type NodeId, type ShardId, type TaskId, toTaskId } from '../model/ids.ts';
import type { TaskSummary } from '../model/task.ts';
import type { ListPage, ListQuery } from '../ports/node-api.ts';
import type { Row, Store } from '../ports/store.ts';
import { taskKey, taskRange } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { toView } from '../shard/view.ts';
import type { NodeContext } from './context.ts';
import { type Bounds, decodeListCursor, encodeListCursor, nextBounds } from './list-cursor.ts';
import type { Replica } from './replica.ts';
import { readTimeoutMs, type ShardAccess } from './shard-access.ts';

/** Rows of one shard that are looked at for one page; the cursor goes on from there. */
const scanRowsMax = 5_000;
const pageRows = 256;
/** IDs told of those that a short one fits; more than one is a refusal anyway. */
const matchesMax = 5;

interface Asked {
  readonly shards: readonly ShardId[];
}

interface Answered {
  /** Shards asked for that have no replica there any more. */
  readonly missing: readonly ShardId[];
}

interface ListAsked extends Asked {
  readonly query: ListQuery;
  readonly below: Bounds;
}

interface ListAnswer extends Answered {
  readonly tasks: readonly TaskSummary[];
  /** Where each shard that has more goes on. */
  readonly more: Bounds;
}

interface FindAsked extends Asked {
  readonly ending: string;
  readonly tenant?: string | undefined;
}

interface FindAnswer extends Answered {
  readonly ids: readonly TaskId[];
}

interface Found {
  readonly id: TaskId;
  readonly shard: ShardId;
  readonly machine: ShardMachine;
  readonly record: TaskRecord;
}

const newestFirst = (left: { readonly id: string }, right: { readonly id: string }): number =>
  left.id < right.id ? 1 : -1;

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
    const { peers } = this.#context;
    peers.answer<ListAsked>('list', (_from, asked) => this.#listHere(asked));
    peers.answer<FindAsked>('find', (_from, asked) => this.#findHere(asked));
  }

  /** Newest first, over all shards; what did not answer is named. */
  async list(query: ListQuery): Promise<ListPage> {
    const before = decodeListCursor(query.cursor);
    const open = this.#all().filter(shard => before === undefined || before[shard] !== undefined);
    const { answers, missing } = await this.#ask<ListAnswer>('list', open, {
      query,
      below: before ?? {},
    });
    const found = answers.flatMap(answer => answer.tasks).sort(newestFirst);
    const tasks = found.slice(0, query.limit);
    const more: Bounds = Object.assign({}, ...answers.map(answer => answer.more));
    const next = nextBounds({ before, found, shown: tasks.length, more, missing });
    const cursor = next === undefined ? undefined : encodeListCursor(next);
    return { tasks, cursor, missingShards: missing };
  }

  #all(): ShardId[] {
    return Array.from({ length: this.#shards() }, (_, position) => position + 1);
  }

  /** Asks for all these shards, each at one node: its leader, else whoever holds a replica. */
  async #ask<T extends Answered>(
    method: string,
    shards: readonly ShardId[],
    body: object,
  ): Promise<{ readonly answers: readonly T[]; readonly missing: readonly ShardId[] }> {
    const { peers } = this.#context;
    const byNode = new Map<NodeId, ShardId[]>();
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const leader = this.#context.leaderOf(shard);
      const node =
        leader !== undefined && peers.connected(leader) ? leader : this.#access.holders(shard)[0];
      if (node === undefined) missing.push(shard);
      else byNode.set(node, [...(byNode.get(node) ?? []), shard]);
    }
    const answers: T[] = [];
    await Promise.all(
      [...byNode].map(async ([node, mine]) => {
        try {
          const answer = await peers.ask<T>(node, method, { shards: mine, ...body }, readTimeoutMs);
          answers.push(answer);
          missing.push(...answer.missing);
        } catch (error) {
          if (!(error instanceof TschedError)) throw error;
          missing.push(...mine);
        }
      }),
    );
    return { answers, missing: missing.sort((left, right) => left - right) };
  }

  async #listHere({ shards, query, below }: ListAsked): Promise<ListAnswer> {
    const found: Found[] = [];
    const lowest: Record<string, string> = {};
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const replica = await this.#readable(shard);
      if (replica === undefined) {
        missing.push(shard);
        continue;
      }
      const end = await this.#listShard(replica, query, below[shard], found);
      if (end !== undefined) lowest[shard] = end;
    }
    // No page shows more than that, and an answer has to fit a frame.
    found.sort(newestFirst);
    const shown = Math.min(query.limit, found.length);
    const tasks = found.slice(0, shown).map(one => this.#summary(one));
    const more = nextBounds({ before: below, found, shown, more: lowest, missing: [] }) ?? {};
    return { tasks, more, missing };
  }

  /**
   * A replica all of whose tasks are on the disk, so that one ordered read there sees everything.
   */
  async #readable(shard: ShardId): Promise<Replica | undefined> {
    const { loop } = this.#context;
    const replica = loop.replica(shard);
    // What was taken for a write that is still under way counts as well.
    if (replica?.unwritten === true) await loop.flush(replica);
    return replica;
  }

  async #listShard(
    replica: Replica,
    query: ListQuery,
    below: string | undefined,
    into: Found[],
  ): Promise<string | undefined> {
    const machine = replica.machine as unknown as ShardMachine;
    let before = below;
    let found = 0;
    let scanned = 0;
    while (found < query.limit && scanned < scanRowsMax) {
      const limit = Math.min(pageRows, query.limit - found);
      const rows = await this.#rowsBelow(replica, before, limit);
      for (const [, value] of rows) {
        const stored = decodeTaskRow(value);
        const record = machine.record(stored.id) ?? stored;
        before = record.id;
        scanned++;
        if (!this.#matches(machine, replica.group, record, query)) continue;
        into.push({ id: record.id, shard: replica.group, machine, record });
        found++;
      }
      if (rows.length < limit) return undefined;
    }
    return before;
  }

  /** Rows of the tasks below an ID, newest first. */
  #rowsBelow(replica: Replica, below: string | undefined, limit: number): Promise<Row[]> {
    const { from, to } = taskRange();
    const open = below === undefined || below === '';
    return this.#store.rows(replica.group, {
      from,
      to: open ? to : taskKey(below as TaskId),
      limit,
      reverse: true,
    });
  }

  /** The newest tasks here whose IDs end so. */
  async #findHere({ shards, ending, tenant }: FindAsked): Promise<FindAnswer> {
    const ids: TaskId[] = [];
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const replica = await this.#readable(shard);
      if (replica === undefined) {
        missing.push(shard);
        continue;
      }
      let before: string | undefined;
      for (let scanned = 0; scanned < scanRowsMax && ids.length < matchesMax; scanned += pageRows) {
        const rows = await this.#rowsBelow(replica, before, pageRows);
        for (const [key, value] of rows) {
          const id = idOfKey(key);
          before = id;
          if (!id.endsWith(ending) || ids.length >= matchesMax) continue;
          if (tenant === undefined || decodeTaskRow(value).tenant === tenant) ids.push(id);
        }
        if (rows.length < pageRows) break;
      }
    }
    return { ids, missing };
  }

  #matches(machine: ShardMachine, shard: ShardId, record: TaskRecord, query: ListQuery): boolean {
    if (query.states !== undefined && !query.states.includes(record.state)) return false;
    if (query.tenant !== undefined && record.tenant !== query.tenant) return false;
    if (query.namePrefix === undefined) return true;
    return this.#access.spec(machine, shard, record.digest).name.startsWith(query.namePrefix);
  }

  #summary({ machine, shard, record }: Found): TaskSummary {
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
      const { tasks, missingShards } = await this.list({ limit: 1, tenant });
      refuseWithout(missingShards, 'which task is the newest');
      const [newest] = tasks;
      if (newest === undefined) throw new TschedError('unknownTask', 'no task was submitted yet');
      return newest.id;
    }
    // As in whole IDs, letters that look like digits are taken for them.
    const ending = text.toLowerCase().replaceAll('o', '0').replaceAll(/[il]/g, '1');
    if (!/^[0-9a-z]{4,19}$/.test(ending)) {
      throw new TschedError(
        'badId',
        `"${text}" is not a task ID: 20 characters, or at least its last 4`,
      );
    }
    const { answers, missing } = await this.#ask<FindAnswer>('find', this.#all(), {
      ending,
      tenant,
    });
    const found = answers.flatMap(answer => answer.ids);
    if (found.length > 1) {
      const some = found.slice(0, 4).join(', ');
      throw new TschedError('ambiguousId', `several IDs end in ${ending}: ${some}`);
    }
    refuseWithout(missing, `which task has an ID that ends in ${ending}`);
    const [only] = found;
    if (only === undefined) {
      throw new TschedError(
        'unknownTask',
        `none of the newest tasks has an ID that ends in ${ending}`,
      );
    }
    return only;
  }
}

/** A task that cannot be seen may be the one that is meant: nothing is done to another instead. */
function refuseWithout(missing: readonly ShardId[], what: string): void {
  if (missing.length === 0) return;
  const some = missing.slice(0, 4).join(', ');
  throw new TschedError(
    'noQuorum',
    `cannot tell ${what}: no replica of ${missing.length} shards can be reached (${some})`,
    { retryAfterMs: 1_000 },
  );
}

const idOfKey = (key: Uint8Array): TaskId => String.fromCharCode(...key.subarray(1)) as TaskId;
