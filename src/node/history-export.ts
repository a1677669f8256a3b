/**
 * The history, a page at a time: what the shards keep of settled tasks, one shard after the other,
 * the oldest ID of each first. A page is of one shard, so neither who asks nor who answers holds
 * more than that, and a cursor says where the next one begins, whichever node is asked for it.
 */
import type { Outcome } from '../model/attempt.ts';
import { TschedError } from '../model/errors.ts';
import { type ShardId, type TaskId, toTaskId } from '../model/ids.ts';
import type { TaskSpec } from '../model/spec.ts';
import { isSettled, type TaskView } from '../model/task.ts';
import type { HistoryPage, HistoryQuery, TaskFilter } from '../ports/history.ts';
import type { Store } from '../ports/store.ts';
import { taskIdOfKey, taskKey, taskRange } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow } from '../shard/record.ts';
import { toView } from '../shard/view.ts';
import { type Answered, type Asked, type Gathered, ShardQuestions } from './ask-shards.ts';
import type { NodeContext } from './context.ts';
import { readable } from './readable.ts';
import type { Replica } from './replica.ts';
import type { ShardAccess } from './shard-access.ts';
import { idsOf, matches } from './task-filter.ts';

const pageTasks = 256;
/** Of stored rows and commands; what is sent is a few times as long at most. */
const pageBytes = 1024 * 1024;
/** Rows that are looked at for one page. */
const scanRowsMax = 4_096;
const readRows = 256;
/** A shard without a leader is asked so many times more. */
const triesMore = 1;
const tryPauseMs = 1_000;

interface HistoryAsked extends Asked {
  readonly filter: TaskFilter;
  /** The ID behind which to go on; '' begins at the oldest. */
  readonly after: string;
}

interface HistoryAnswer extends Answered {
  readonly tasks: readonly TaskView[];
  /** The last ID that was looked at, where there are more. */
  readonly next?: string | undefined;
}

interface Place {
  readonly shard: ShardId;
  readonly after: string;
}

/** The output stays where it is: an export says how attempts ended, not what they wrote. */
function withoutOutput(view: TaskView): TaskView {
  const cut = (outcome: Outcome | undefined): Outcome | undefined =>
    outcome && { ...outcome, tail: '' };
  const attempts = view.attempts.map(attempt => ({ ...attempt, outcome: cut(attempt.outcome) }));
  return { ...view, attempts, outcome: cut(view.outcome) };
}

const encodeCursor = ({ shard, after }: Place): string => `${shard}.${after}`;

function decodeCursor(cursor: string | undefined): Place {
  const [, shard, after] = /^(\d{1,5})\.([0-9a-z]*)$/.exec(cursor ?? '1.') ?? [];
  if (shard !== undefined && after !== undefined) {
    if (after === '' || toTaskId(after) === after) return { shard: Number(shard), after };
  }
  throw new TschedError('badRequest', 'the cursor is not one that an export gave', {
    field: 'cursor',
  });
}

export class HistoryExport {
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
    this.#context.peers.answer<HistoryAsked>('history', (_from, asked) => this.#pageHere(asked));
  }

  async page(query: HistoryQuery): Promise<HistoryPage> {
    const { cursor, consistency, ...filter } = query;
    const { shard, after } = decodeCursor(cursor);
    if (shard < 1 || shard > this.#shards()) return { tasks: [] };
    const { answers, missing, stale } = await this.#ask(
      { shards: [shard], local: consistency === 'local' },
      { filter, after },
    );
    if (consistency === 'linearizable' && missing.length + stale.length > 0) {
      throw new TschedError(
        'noQuorum',
        `shard ${shard} has no leader with a majority; go on with cursor ${encodeCursor({ shard, after })}`,
        { retryAfterMs: 1_000 },
      );
    }
    const [answer] = answers;
    const next = answer?.next;
    const place = next === undefined ? { shard: shard + 1, after: '' } : { shard, after: next };
    return {
      tasks: answer?.tasks ?? [],
      cursor: place.shard > this.#shards() ? undefined : encodeCursor(place),
      missingShard: missing[0],
      staleShard: stale[0],
    };
  }

  async #ask(
    asked: Asked,
    body: Omit<HistoryAsked, keyof Asked>,
  ): Promise<Gathered<HistoryAnswer>> {
    const { clock } = this.#context;
    for (let tries = 0; ; tries++) {
      const found = await this.#questions.ask<HistoryAnswer>('history', asked, body);
      const isSure = found.missing.length + found.stale.length === 0;
      if (isSure || asked.local || tries >= triesMore) return found;
      await new Promise<void>(resolve => clock.after(tryPauseMs, resolve));
    }
  }

  async #pageHere(asked: HistoryAsked): Promise<HistoryAnswer> {
    const stale = await this.#questions.unconfirmed(asked);
    const [shard] = asked.shards;
    const replica = shard === undefined ? undefined : await readable(this.#context, shard);
    if (replica === undefined) return { tasks: [], missing: asked.shards, stale: [] };
    const found = await this.#scan(replica, asked, stale.length > 0);
    return { ...found, missing: [], stale };
  }

  async #scan(
    replica: Replica,
    { filter, after }: HistoryAsked,
    stale: boolean,
  ): Promise<Pick<HistoryAnswer, 'tasks' | 'next'>> {
    const machine = replica.machine as unknown as ShardMachine;
    const { group } = replica;
    const range = taskRange();
    const ids = idsOf(filter);
    const to = ids.to === undefined ? range.to : taskKey(ids.to);
    let from = after === '' ? range.from : Uint8Array.of(...taskKey(after as TaskId), 0);
    if (ids.from !== undefined && ids.from > after) from = taskKey(ids.from);
    const tasks: TaskView[] = [];
    let bytes = 0;
    for (let scanned = 0; scanned < scanRowsMax; scanned += readRows) {
      const rows = await this.#store.rows(group, { from, to, limit: readRows });
      for (const [key, value] of rows) {
        from = Uint8Array.of(...key, 0);
        const record = decodeTaskRow(value);
        // What expired may have its row still; what settled since is in memory, and written soon.
        if (!isSettled(record.state) || !machine.knows(record.id)) continue;
        const spec = (): TaskSpec => this.#access.spec(machine, group, record.digest);
        if (!matches(filter, record, spec)) continue;
        const deadLetter = machine.isDeadLetter(record.id);
        const view = toView(record, spec(), { stale, shard: group, deadLetter });
        tasks.push(withoutOutput(view));
        bytes += value.length + view.command.length;
        if (tasks.length >= pageTasks || bytes >= pageBytes) {
          return { tasks, next: taskIdOfKey(key) };
        }
      }
      if (rows.length < readRows) return { tasks };
    }
    return { tasks, next: taskIdOfKey(from.subarray(0, -1)) };
  }
}
