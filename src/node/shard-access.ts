/**
 * Finding and reading what a shard holds: at its leader, confirmed by a majority, or at any replica
 * and then marked stale; hot records from the machine, cold ones from the disk.
 */
import { formatSetting, type SettingName } from '../model/cluster-settings.ts';
import { type ErrorCode, TschedError } from '../model/errors.ts';
import { type NodeId, type ShardId, slotOfId, type TaskId, timeOfId } from '../model/ids.ts';
import type { SlotTable } from '../model/slots.ts';
import { decodeSpec, type TaskSpec } from '../model/spec.ts';
import { withOverrides } from '../model/spec-overrides.ts';
import {
  type Consistency,
  type PlacementPause,
  reasonOfHolds,
  type TaskView,
  type WaitingReason,
} from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { pauseOf } from '../registry/pauses.ts';
import { specKey, taskKey } from '../shard/keys.ts';
import type { ShardMachine } from '../shard/machine.ts';
import { laneOf } from '../shard/memory/traits.ts';
import { decodeTaskRow, type TaskRecord } from '../shard/record.ts';
import { reasonOfPause, toView } from '../shard/view.ts';
import { isTenantPaused, pausesIn } from './attempt-wishes.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import type { Scheduler } from './scheduler.ts';
import { within } from './within.ts';

export const readTimeoutMs = 2_500;
const specCacheMax = 256;

export interface ShardAccessDeps {
  readonly context: NodeContext;
  readonly scheduler: Scheduler;
  readonly store: Store;
  readonly table: () => SlotTable;
  /** Where the registry says that a shard's replicas are. */
  readonly reported: (shard: ShardId) => readonly NodeId[];
  readonly setting: (name: SettingName) => number;
}

export class ShardAccess {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #table: () => SlotTable;
  readonly #reported: (shard: ShardId) => readonly NodeId[];
  readonly #setting: (name: SettingName) => number;
  readonly #specs = new Map<string, TaskSpec>();

  constructor(deps: ShardAccessDeps) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#store = deps.store;
    this.#table = deps.table;
    this.#reported = deps.reported;
    this.#setting = deps.setting;
  }

  shardOf(id: TaskId): ShardId {
    const shard = this.#table()[slotOfId(id)];
    if (shard === undefined)
      throw new TschedError('starting', 'this node does not know the shards yet');
    return shard;
  }

  /**
   * Asks the shard's leader, then any replica for a stale answer; with `consistency` only the one
   * or only the others. Errors that are answers (no such task) come from the leader or from nobody.
   */
  async fromShard<T>(
    shard: ShardId,
    method: string,
    body: object,
    consistency?: Consistency,
  ): Promise<T> {
    if (consistency !== 'local') {
      const answer = await this.#fromLeader<T>(shard, method, body);
      if (answer !== undefined) return answer;
    }
    if (consistency === 'linearizable') {
      throw new TschedError(
        'noQuorum',
        `shard ${shard} has no leader with a majority; --consistency local shows what a replica has`,
        { retryAfterMs: 1_000 },
      );
    }
    const { peers } = this.#context;
    let unknown: TschedError | undefined;
    for (const node of this.holders(shard)) {
      try {
        return await peers.ask<T>(node, method, { shard, stale: true, ...body }, 1_000);
      } catch (error) {
        if (!(error instanceof TschedError)) throw error;
        // A replica that lags does not know the newest tasks: that is no word on whether they
        // exist.
        if (error.code === 'unknownTask') unknown = error;
        else if (!isPassing(error)) throw error;
      }
    }
    if (unknown !== undefined && consistency === 'local') {
      throw new TschedError(
        'unknownTask',
        `${unknown.message} in the replicas that could be asked; they may be behind`,
      );
    }
    throw new TschedError('noQuorum', `no replica of shard ${shard} can be reached`);
  }

  /** The answer of a leader that a majority confirms; `undefined` where there is none in time. */
  async #fromLeader<T>(shard: ShardId, method: string, body: object): Promise<T | undefined> {
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
      }
      await new Promise<void>(resolve => clock.after(50, resolve));
    }
    return undefined;
  }

  /** Nodes that hold a replica of a shard, this one first. */
  holders(shard: ShardId): NodeId[] {
    const { loop, nodeId, peers } = this.#context;
    const local = loop.replica(shard);
    const nodes = local?.members().map(member => member.node) ?? this.#reported(shard);
    const others = nodes.filter(node => node !== nodeId && peers.connected(node));
    return local === undefined ? others : [nodeId, ...others];
  }

  async confirmed(
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
      const { loop, clock } = this.#context;
      await within(
        clock,
        loop.read(replica),
        readTimeoutMs,
        () => new TschedError('notLeader', `shard ${shard} could not confirm its leader in time`),
      );
    }
    return this.machineOf(replica);
  }

  machineOf(replica: Replica): { replica: Replica; machine: ShardMachine } {
    return { replica, machine: replica.machine as unknown as ShardMachine };
  }

  record(machine: ShardMachine, shard: ShardId, id: TaskId): TaskRecord {
    const hot = machine.record(id);
    if (hot !== undefined) return hot;
    // Of a task that expired the row may be there still: it goes with the next flush.
    const row = machine.knows(id) ? this.#store.row(shard, taskKey(id)) : undefined;
    if (row === undefined) throw new TschedError('unknownTask', this.#unknown(machine, id));
    return decodeTaskRow(row);
  }

  #unknown(machine: ShardMachine, id: TaskId): string {
    if (timeOfId(id) > machine.expired.toMs) return `there is no task ${id}`;
    const [age, count] = (['history.maxAge', 'history.maxCount'] as const).map(name =>
      formatSetting(name, this.#setting(name)),
    );
    return (
      `there is no task ${id}, or it left the history: settled tasks are kept for ${age}, ` +
      `the newest ${count} of them`
    );
  }

  /** Bytes of a spec, from memory or from the disk. */
  specBytes(machine: ShardMachine, shard: ShardId, digest: string): Uint8Array | undefined {
    return machine.specBytes(digest) ?? this.#store.row(shard, specKey(digest));
  }

  /** The same of a spec that some task here has. */
  storedSpec(machine: ShardMachine, shard: ShardId, digest: string): Uint8Array {
    const bytes = this.specBytes(machine, shard, digest);
    if (bytes !== undefined) return bytes;
    throw new TschedError(
      'storageFault',
      `the specification ${digest} is missing in shard ${shard}`,
    );
  }

  spec(machine: ShardMachine, shard: ShardId, digest: string): TaskSpec {
    const cached = this.#specs.get(digest);
    if (cached !== undefined) return cached;
    const spec = decodeSpec(this.storedSpec(machine, shard, digest));
    if (this.#specs.size >= specCacheMax) {
      const oldest = this.#specs.keys().next();
      if (!oldest.done) this.#specs.delete(oldest.value);
    }
    this.#specs.set(digest, spec);
    return spec;
  }

  view(machine: ShardMachine, replica: Replica, id: TaskId, stale: boolean): TaskView {
    const record = this.record(machine, replica.group, id);
    const spec = this.spec(machine, replica.group, record.digest);
    const view = toView(record, spec, {
      stale,
      shard: replica.group,
      deadLetter: machine.isDeadLetter(id),
      tenantPaused: this.tenantPause(record.tenant),
      nowMs: this.#context.clock.wallMs(),
      reason:
        record.state === 'waiting'
          ? this.reason(machine, record, spec, stale && isLeaderless(replica))
          : undefined,
    });
    return stale ? { ...view, staleMs: this.#silentMs(replica) } : view;
  }

  /** For how long a replica has heard of no leader; `undefined` where it never did. */
  #silentMs(replica: Replica): number | undefined {
    if (replica.leading) return 0;
    if (!replica.heard) return undefined;
    return Math.max(0, Math.round(this.#context.clock.nowMs() - replica.heardMs));
  }

  tenantPause(tenant: string): PlacementPause | undefined {
    return pauseOf(pausesIn(this.#context), tenant);
  }

  /** Why a task waits that does. */
  reason(
    machine: ShardMachine,
    record: TaskRecord,
    submitted: TaskSpec,
    leaderless: boolean,
  ): WaitingReason {
    if (leaderless) return 'ShardNoQuorum';
    const held = heldBy(machine, record);
    if (held !== undefined) return held;
    if (isTenantPaused(pausesIn(this.#context), record.tenant)) return 'Paused';
    if (record.backedOff && record.readySinceMs > this.#context.clock.wallMs()) {
      return reasonOfPause(record);
    }
    if (this.#scheduler.rooms?.holdsBack(record.tenant) === true) return 'Quota';
    return this.#scheduler.reasonFor(laneOf(withOverrides(submitted, record.update?.overrides)));
  }
}

/** What keeps a task out of the queue. One of a gang is there once the first of it stands there. */
function heldBy(machine: ShardMachine, record: TaskRecord): WaitingReason | undefined {
  const held = reasonOfHolds(record.holds);
  if (held !== 'Gang') return held;
  const [first = record.id] = machine.gangOf(record.id).ids;
  return reasonOfHolds(machine.record(first)?.holds ?? record.holds);
}

export const isLeaderless = (replica: Replica): boolean =>
  !replica.leading && replica.leaderNode === undefined;

/** `forbidden`: the node asked has not heard yet that this one is a member. */
const passing: readonly ErrorCode[] = [
  'notLeader',
  'nodeUnreachable',
  'outcomeUnknown',
  'starting',
  'noQuorum',
  'forbidden',
];
const isPassing = (error: TschedError): boolean => passing.includes(error.code);
