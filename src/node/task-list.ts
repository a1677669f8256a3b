/**
 * Listings over all shards, newest first, and what rests on them: the whole ID behind a short one.
 * A page asks the leader of every shard once, and the leader asks a majority; shards that were told
 * of without one, and shards that do not answer, are named.
 */
import { TschedError } from '../model/errors.ts';
import { type ShardId, type TaskId, toTaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { TaskSummary } from '../model/task.ts';
import type { ListPage, ListQuery } from '../ports/node-api.ts';
import type { Row, Store } from '../ports/store.ts';
import { rangeOf, rowKind, taskIdOfKey, taskKey } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { toView } from '../shard/view.ts';
import { type Answered, type Asked, ShardQuestions } from './ask-shards.ts';
import type { NodeContext } from './context.ts';
import { type Bounds, decodeListCursor, encodeListCursor, nextBounds } from './list-cursor.ts';
import { readable } from './readable.ts';
import type { Replica } from './replica.ts';
import { isLeaderless, type ShardAccess } from './shard-access.ts';
import { idsOf, matches } from './task-filter.ts';

/** Rows of one shard that are looked at for one page; the cursor goes on from there. */
const scanRowsMax = 5_000;
const pageRows = 256;
/** IDs told of those that a short one fits; more than one is a refusal anyway. */
const matchesMax = 5;

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
  readonly replica: Replica;
  readonly machine: ShardMachine;
  readonly record: TaskRecord;
}

const newestFirst = (left: { readonly id: string }, right: { readonly id: string }): number =>
  left.id < right.id ? 1 : -1;

export class TaskList {
  readonly #context: NodeContext;
  readonly #access: ShardAccess;
  readonly #store: Store;
  readonly #questions: ShardQuestions;
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
    this.#questions = new ShardQuestions(deps.context, deps.access);
    this.#shards = deps.shards;
    const { peers } = this.#context;
    peers.answer<ListAsked>('list', (_from, asked) => this.#listHere(asked));
    peers.answer<FindAsked>('find', (_from, asked) => this.#findHere(asked));
  }

  /** Newest first, over all shards; what did not answer is named. */
  async list(query: ListQuery): Promise<ListPage> {
    const before = decodeListCursor(query.cursor);
    const open = this.#all().filter(shard => before === undefined || before[shard] !== undefined);
    const { consistency, ...asked } = query;
    const local = consistency === 'local';
    const body = { query: asked, below: before ?? {} };
    const { answers, missing, stale } = await this.#questions.ask<ListAnswer>(
      'list',
      { shards: open, local },
      body,
    );
    if (consistency === 'linearizable') refuseUnsure([...missing, ...stale], 'what is the newest');
    const found = answers.flatMap(answer => answer.tasks).sort(newestFirst);
    const tasks = found.slice(0, query.limit);
    const more: Bounds = Object.assign({}, ...answers.map(answer => answer.more));
    const next = nextBounds({ before, found, shown: tasks.length, more, missing });
    const cursor = next === undefined ? undefined : encodeListCursor(next);
    return { tasks, cursor, missingShards: missing, staleShards: stale };
  }

  #all(): ShardId[] {
    return Array.from({ length: this.#shards() }, (_, position) => position + 1);
  }

  async #listHere(asked: ListAsked): Promise<ListAnswer> {
    const { shards, query, below } = asked;
    const stale = await this.#questions.unconfirmed(asked);
    const found: Found[] = [];
    const lowest: Record<string, string> = {};
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const replica = await readable(this.#context, shard);
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
    return { tasks, more, missing, stale: stale.filter(shard => !missing.includes(shard)) };
  }

  async #listShard(
    replica: Replica,
    query: ListQuery,
    below: string | undefined,
    into: Found[],
  ): Promise<string | undefined> {
    const machine = replica.machine as unknown as ShardMachine;
    const { from, to } = idsOf(query);
    const isOpen = below === undefined || below === '';
    let before = to !== undefined && (isOpen || to < below) ? to : below;
    let found = 0;
    let scanned = 0;
    while (found < query.limit && scanned < scanRowsMax) {
      const limit = Math.min(pageRows, query.limit - found);
      const kind = query.deadLetters === true ? rowKind.deadLetter : rowKind.task;
      const rows = await this.#rowsBelow(replica, before, limit, { kind, from });
      for (const [key, value] of rows) {
        const id = taskIdOfKey(key);
        before = id;
        scanned++;
        if (query.deadLetters === true && !machine.isDeadLetter(id)) continue;
        const row = kind === rowKind.task ? value : this.#store.row(replica.group, taskKey(id));
        const record = machine.record(id) ?? (row && decodeTaskRow(row));
        if (record === undefined) continue;
        const spec = (): TaskSpec => this.#access.spec(machine, replica.group, record.digest);
        if (!matches(query, record, spec)) continue;
        into.push({ id: record.id, shard: replica.group, replica, machine, record });
        found++;
      }
      if (rows.length < limit) return undefined;
    }
    return before;
  }

  /** Rows of the tasks below an ID, and from another one on, newest first. */
  #rowsBelow(
    replica: Replica,
    below: string | undefined,
    limit: number,
    of: { readonly kind: number; readonly from?: TaskId | undefined } = { kind: rowKind.task },
  ): Promise<Row[]> {
    const range = rangeOf(of.kind);
    const keyOf = (id: string): Uint8Array =>
      Uint8Array.of(of.kind, ...taskKey(id as TaskId).subarray(1));
    return this.#store.rows(replica.group, {
      from: of.from === undefined ? range.from : keyOf(of.from),
      to: below === undefined || below === '' ? range.to : keyOf(below),
      limit,
      reverse: true,
    });
  }

  /** The newest tasks here whose IDs end so. */
  async #findHere(asked: FindAsked): Promise<FindAnswer> {
    const { shards, ending, tenant } = asked;
    const stale = await this.#questions.unconfirmed(asked);
    const ids: TaskId[] = [];
    const missing: ShardId[] = [];
    for (const shard of shards) {
      const replica = await readable(this.#context, shard);
      if (replica === undefined) {
        missing.push(shard);
        continue;
      }
      let before: string | undefined;
      for (let scanned = 0; scanned < scanRowsMax && ids.length < matchesMax; scanned += pageRows) {
        const rows = await this.#rowsBelow(replica, before, pageRows);
        for (const [key, value] of rows) {
          const id = taskIdOfKey(key);
          before = id;
          if (!id.endsWith(ending) || ids.length >= matchesMax) continue;
          if (tenant === undefined || decodeTaskRow(value).tenant === tenant) ids.push(id);
        }
        if (rows.length < pageRows) break;
      }
    }
    return { ids, missing, stale: stale.filter(shard => !missing.includes(shard)) };
  }

  #summary({ machine, shard, replica, record }: Found): TaskSummary {
    const spec = this.#access.spec(machine, shard, record.digest);
    const waiting = record.state === 'waiting';
    const view = toView(record, spec, {
      stale: false,
      shard,
      reason: waiting
        ? this.#access.reason(machine, record, spec, isLeaderless(replica))
        : undefined,
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
      outcome: view.state === 'failed' && view.outcome ? { ...view.outcome, tail: '' } : undefined,
    };
  }

  /** The whole ID behind what a person typed. */
  async resolve(
    text: string,
    tenant?: string,
    purpose: 'read' | 'change' = 'read',
  ): Promise<TaskId> {
    const whole = toTaskId(text);
    if (whole !== undefined) return whole;
    if (text === 'last') {
      const { tasks, missingShards, staleShards } = await this.list({ limit: 1, tenant });
      refuseWithout(missingShards, 'which task is the newest');
      if (purpose === 'change') refuseUnsure(staleShards, 'which task is the newest');
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
    const body = { ending, tenant };
    const { answers, missing, stale } = await this.#questions.ask<FindAnswer>(
      'find',
      { shards: this.#all(), local: false },
      body,
    );
    const found = answers.flatMap(answer => answer.ids);
    if (found.length > 1) {
      const some = found.slice(0, 4).join(', ');
      throw new TschedError('ambiguousId', `several IDs end in ${ending}: ${some}`);
    }
    refuseWithout(missing, `which task has an ID that ends in ${text}`);
    if (purpose === 'change') refuseUnsure(stale, `which task has an ID that ends in ${text}`);
    const [only] = found;
    if (only === undefined) {
      throw new TschedError(
        'unknownTask',
        `none of the newest tasks has an ID that ends in ${text}`,
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

/** What an old replica shows may not be what there is. */
function refuseUnsure(unsure: readonly ShardId[], what: string): void {
  if (unsure.length === 0) return;
  const some = unsure.slice(0, 4).join(', ');
  throw new TschedError(
    'noQuorum',
    `cannot tell for certain ${what}: ${unsure.length} shards have no leader with a majority (${some})`,
    { retryAfterMs: 1_000 },
  );
}
