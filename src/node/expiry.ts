/**
 * Keeps the history within its rules (`history-rules.ts`): for every shard that this node leads,
 * settled tasks that are older than their tenant keeps them, and the oldest ones beyond a count,
 * are proposed to expire. What must never go is held by apply.
 *
 * A walk goes through the stored rows of a shard in the order of their IDs, that is of their
 * submits, a page at a time, and ends at the first task that is too young. It says when the next
 * one is due, so that a shard with nothing to expire costs nothing. One page at a time is under way
 * on a node, and the pauses between pages are longer than they took.
 */
import type { ExpireItem } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { formatTaskId, timeOfId } from '../model/ids.ts';
import { isSettled } from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { digestBytes, taskKey, taskRange } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { background, type NodeContext } from './context.ts';
import { type HistoryRules, type Sweep, sweepsOf } from './history-rules.ts';
import type { ShardLeader } from './shard-leader.ts';

const pageRows = 256;
/** Between two looks at the shards. */
const lookMs = 1_000;
/** A page is followed by a pause of this many times what it took. */
const pausePerPage = 3;
/** Walks of a shard are this far apart at least, and at most. */
const walkPauseMs = 2_000;
const walkPauseMaxMs = 60_000;

/** The cluster version of which every node reads `expire`: one that does not would stop at it. */
const versionNeeded = 2;

interface Walk {
  readonly isOfCount: boolean;
  /** Tenants whose rows it has gone by. */
  readonly tenants: Set<string>;
  /** Wall clock at which something may be old enough. */
  dueMs: number;
  /** Monotonic instant before which no walk begins. */
  restMs: number;
  /** Nothing before this key is to expire: see `startOfNext`. */
  from: Uint8Array;
}

interface Walks {
  /** The leadership that they are for. */
  readonly leader: ShardLeader;
  /** By the keys of their sweeps. */
  readonly walks: Map<string, Walk>;
}

interface Page {
  readonly items: ExpireItem[];
  /** Keys of the first task that stays, and of the first that was not looked at. */
  first: Uint8Array | undefined;
  next: Uint8Array;
  /** Nothing behind it can be old enough. */
  ended: boolean;
  /** When the first of those that stay becomes old enough. */
  dueMs: number;
}

export class Expiry {
  readonly #context: NodeContext;
  readonly #store: Store;
  readonly #leaders: () => Iterable<ShardLeader>;
  readonly #rules: () => HistoryRules | undefined;
  readonly #shards = new Map<number, Walks>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking = false;
  #stopped = false;
  /** Tasks that expired by proposals of this node. */
  expired = 0;

  constructor(deps: {
    readonly context: NodeContext;
    readonly store: Store;
    readonly leaders: () => Iterable<ShardLeader>;
    /** `undefined` while this node does not know its cluster. */
    readonly rules: () => HistoryRules | undefined;
  }) {
    this.#context = deps.context;
    this.#store = deps.store;
    this.#leaders = deps.leaders;
    this.#rules = deps.rules;
  }

  /** To be called a few times a second. */
  round(): void {
    const nowMs = this.#context.clock.nowMs();
    if (this.#looking || nowMs - this.#lookedMs < lookMs) return;
    this.#lookedMs = nowMs;
    this.#looking = true;
    const looked = this.#look().finally(() => {
      this.#looking = false;
    });
    background(this.#context, 'expire', looked);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #look(): Promise<void> {
    const rules = this.#rules();
    if (rules === undefined || this.#context.clusterVersion() < versionNeeded) return;
    const led = new Set<number>();
    for (const leader of [...this.#leaders()]) {
      led.add(leader.shard);
      if (!this.#stopped && leader.replica.leading) await this.#visit(leader, rules);
    }
    for (const shard of this.#shards.keys()) if (!led.has(shard)) this.#shards.delete(shard);
  }

  #walksOf(leader: ShardLeader): Map<string, Walk> {
    const known = this.#shards.get(leader.shard);
    if (known?.leader === leader) return known.walks;
    const walks = new Map<string, Walk>();
    this.#shards.set(leader.shard, { leader, walks });
    return walks;
  }

  /** Walks through a shard for every sweep that is due there. */
  async #visit(leader: ShardLeader, rules: HistoryRules): Promise<void> {
    const sweeps = sweepsOf(leader.machine.settledByTenant(), rules);
    const walks = this.#walksOf(leader);
    forgetOthers(walks, sweeps);
    for (const sweep of sweeps) {
      if (this.#stopped || !leader.replica.leading) return;
      await this.#sweep(leader, walkOf(walks, sweep), sweep);
    }
  }

  async #sweep(leader: ShardLeader, walk: Walk, sweep: Sweep): Promise<void> {
    const { clock } = this.#context;
    const [nowMs, wallMs] = [clock.nowMs(), clock.wallMs()];
    const full = sweep.over > 0;
    if (nowMs < walk.restMs || (wallMs < walk.dueMs && !full)) return;
    const pauseMs = Math.max(walkPauseMs, Math.min(sweep.maxAgeMs / 20, walkPauseMaxMs));
    walk.restMs = nowMs + (full ? walkPauseMs : pauseMs);
    walk.dueMs = wallMs + sweep.maxAgeMs;
    await this.#walk(leader, walk, sweep);
  }

  async #walk(leader: ShardLeader, walk: Walk, sweep: Sweep): Promise<void> {
    const { clock } = this.#context;
    let { from } = walk;
    let first: Uint8Array | undefined;
    for (let left = sweep.over; ; ) {
      const beganMs = clock.nowMs();
      const page = await this.#page(leader, from, sweep, left);
      const done = await this.#expire(leader, page.items);
      if (!done) walk.dueMs = 0;
      if (!done || this.#stopped || !leader.replica.leading) return;
      walk.dueMs = Math.min(walk.dueMs, page.dueMs);
      first ??= page.first;
      from = page.next;
      left -= page.items.length;
      if (page.ended) break;
      const tookMs = clock.nowMs() - beganMs;
      await new Promise<void>(resolve => clock.after(1 + tookMs * pausePerPage, resolve));
    }
    walk.from = startOfNext(first ?? from, leader.machine);
  }

  async #page(leader: ShardLeader, from: Uint8Array, sweep: Sweep, over: number): Promise<Page> {
    const { to } = taskRange();
    const rows = await this.#store.rows(leader.shard, { from, to, limit: pageRows });
    const wallMs = this.#context.clock.wallMs();
    const page: Page = {
      items: [],
      first: undefined,
      next: from,
      ended: rows.length < pageRows,
      dueMs: Number.POSITIVE_INFINITY,
    };
    for (const [key, value] of rows) {
      const record = decodeTaskRow(value);
      const idMs = timeOfId(record.id);
      const keepMs = page.items.length < over ? sweep.keepMs : sweep.maxAgeMs;
      if (idMs + keepMs > wallMs) {
        page.first ??= key;
        page.dueMs = Math.min(page.dueMs, idMs + sweep.maxAgeMs);
        page.ended = true;
        break;
      }
      page.next = Uint8Array.of(...key, 0);
      if (!sweep.tenants.has(record.tenant)) continue;
      // What settled since its row was written, what expired already, and what is of a workflow
      // that has not settled, is for a later walk.
      if (!isSettled(record.state) || !leader.machine.links.mayExpire(record.id)) {
        page.first ??= key;
        continue;
      }
      const settledMs = record.settledAtMs ?? idMs;
      if (settledMs + keepMs > wallMs) {
        page.first ??= key;
        page.dueMs = Math.min(page.dueMs, settledMs + sweep.maxAgeMs);
      } else page.items.push(itemOf(record));
    }
    return page;
  }

  /** False where some are left: the shard cannot be changed from here now, or refused them. */
  async #expire(leader: ShardLeader, items: readonly ExpireItem[]): Promise<boolean> {
    if (items.length === 0) return true;
    try {
      const replies = await leader.ask({ kind: 'expire', items });
      const refused = replies.filter(reply => !reply.ok);
      this.expired += replies.length - refused.length;
      const [first] = refused;
      if (first?.ok === false) {
        this.#context.log.warn('tasks did not expire', {
          shard: leader.shard,
          tasks: refused.length,
          why: first.message,
        });
      }
      // A shard that was idle for long has the right time with its second command: once more, soon.
      return refused.length === 0;
    } catch (error) {
      if (!(error instanceof TschedError)) throw error;
      this.#context.log.debug('tasks did not expire', { shard: leader.shard, why: error.message });
      return false;
    }
  }
}

/**
 * Where the next walk begins: at the first row that this one left, or right behind the newest
 * instant of which a task has expired, or at the first task that is in memory. IDs do not come in
 * their order, but none up to that instant is admitted any more; and one that was admitted before
 * may have no row yet that a walk could have left.
 */
function startOfNext(left: Uint8Array, machine: ShardMachine): Uint8Array {
  const behind = taskKey(formatTaskId({ atMs: machine.expired.toMs + 1, slot: 0, random: 0 }));
  const hot = machine.firstHotId();
  const starts = [left, behind, ...(hot === undefined ? [] : [taskKey(hot)])];
  return starts.sort(Buffer.compare)[0]!;
}

function walkOf(walks: Map<string, Walk>, sweep: Sweep): Walk {
  const known = walks.get(sweep.key);
  const isNew = known === undefined || [...sweep.tenants].some(t => !known.tenants.has(t));
  if (!isNew) return known;
  // Rows of a tenant that it has not looked for yet may lie behind it.
  const walk: Walk = {
    isOfCount: sweep.over > 0,
    tenants: new Set([...(known?.tenants ?? []), ...sweep.tenants]),
    dueMs: 0,
    restMs: 0,
    from: taskRange().from,
  };
  walks.set(sweep.key, walk);
  return walk;
}

/** Forgets walks for ages that nobody keeps now, and tenants that have another one. */
function forgetOthers(walks: Map<string, Walk>, sweeps: readonly Sweep[]): void {
  const byAge = new Map(sweeps.filter(({ over }) => over === 0).map(sweep => [sweep.key, sweep]));
  const ageOf = new Map(
    [...byAge.values()].flatMap(({ key, tenants }) => [...tenants].map(t => [t, key])),
  );
  for (const [key, walk] of walks) {
    if (walk.isOfCount) continue;
    if (!byAge.has(key)) walks.delete(key);
    for (const tenant of walk.tenants) {
      if ((ageOf.get(tenant) ?? key) !== key) walk.tenants.delete(tenant);
    }
  }
}

const itemOf = ({ id, state, digest, keyHash }: TaskRecord): ExpireItem => ({
  taskId: id,
  state,
  digest: digestBytes(digest),
  keyHash,
});
