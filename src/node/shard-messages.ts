/**
 * Carries messages from shards that this node leads to the shards that they are for, and takes
 * those that come (DESIGN 4). The state machines keep them: here is only who asks whom, and when
 * again. A message is sent until the other shard has taken it and this one has recorded that, over
 * every change of leaders on both sides.
 *
 * For each pair of shards one delivery at a time is under way, always the oldest messages: that is
 * what the numbers of `shard/mailbox.ts` rest on.
 */
import { TschedError } from '../model/errors.ts';
import type { ShardId, TaskId } from '../model/ids.ts';
import { limits } from '../model/limits.ts';
import type { Delivery, SettledEnd } from '../model/message.ts';
import type { SlotTable } from '../model/slots.ts';
import type { Store } from '../ports/store.ts';
import { endOfRecord } from '../shard/end-of-record.ts';
import { taskKey } from '../shard/keys.ts';
import type { OutboxMessage } from '../shard/mailbox.ts';
import { decodeTaskRow } from '../shard/record.ts';
import type { NodeContext } from './context.ts';
import { decodeForwarded, decodeReplies, encodeForwarded, encodeReplies } from './forwarded.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardLeader } from './shard-leader.ts';
import type { ShardLeaders } from './shard-leaders.ts';

const deliverMs = 2_500;
/** Between a delivery that failed and the next, longer each time. */
const pauseMs = 100;
const pauseMaxMs = 2_000;
/** Whoever takes a delivery stamps it in its own name. */
const nobody = { name: '', tenant: '' };
/** What is counted for a message beside its output. */
const messageBytesGuess = 64;

/** Deliveries from one shard to another. */
interface Route {
  busy: boolean;
  failures: number;
}

export class ShardMessages {
  readonly #context: NodeContext;
  readonly #scheduler: Scheduler;
  readonly #leaders: ShardLeaders;
  readonly #store: Store;
  readonly #table: () => SlotTable;
  /** By the leadership that sends: another one begins anew. */
  readonly #routes = new WeakMap<ShardLeader, Map<ShardId, Route>>();
  /** Messages that were taken by the shards that they were for. */
  delivered = 0;

  constructor(deps: {
    readonly context: NodeContext;
    readonly scheduler: Scheduler;
    readonly leaders: ShardLeaders;
    readonly store: Store;
    readonly table: () => SlotTable;
  }) {
    this.#context = deps.context;
    this.#scheduler = deps.scheduler;
    this.#leaders = deps.leaders;
    this.#store = deps.store;
    this.#table = deps.table;
    this.#context.peers.handle('deliver', (_from, payload) => this.#take(payload));
  }

  /** Messages of shards led here that are not acknowledged. */
  get waiting(): number {
    let count = 0;
    for (const leader of this.#scheduler.leaders()) count += leader.machine.links.messages;
    return count;
  }

  /** A shard led here has something to deliver, or may have: its leadership has just begun. */
  wake(leader: ShardLeader): void {
    if (leader.machine.links.messages === 0 || !this.#leads(leader)) return;
    const targets = this.#targets(leader);
    // A node that has just started may not know the shards yet.
    if (targets.size === 0) this.#context.clock.after(pauseMaxMs, () => this.wake(leader));
    for (const target of targets) this.#deliverNext(leader, target);
  }

  #targets(leader: ShardLeader): Set<ShardId> {
    const table = this.#table();
    const targets = new Set<ShardId>();
    for (const { slot } of leader.machine.links.outbox()) {
      const target = table[slot];
      if (target !== undefined) targets.add(target);
    }
    return targets;
  }

  #deliverNext(leader: ShardLeader, target: ShardId): void {
    const routes = this.#routes.get(leader) ?? new Map<ShardId, Route>();
    this.#routes.set(leader, routes);
    const route = routes.get(target) ?? { busy: false, failures: 0 };
    routes.set(target, route);
    if (route.busy || !this.#leads(leader)) return;
    const messages = this.#oldest(leader, target);
    if (messages.length === 0) return;
    route.busy = true;
    const again = (delayMs: number): void => {
      this.#context.clock.after(delayMs, () => {
        route.busy = false;
        this.#deliverNext(leader, target);
      });
    };
    this.#deliver(leader, target, messages).then(
      () => {
        route.failures = 0;
        again(0);
      },
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        const about = { shard: leader.shard, to: target, messages: messages.length, why };
        this.#context.log.debug('messages were not delivered', about);
        again(Math.min(pauseMaxMs, pauseMs * 2 ** Math.min(route.failures++, 8)));
      },
    );
  }

  #leads(leader: ShardLeader): boolean {
    return leader.replica.leading && this.#scheduler.leader(leader.shard) === leader;
  }

  #oldest(leader: ShardLeader, target: ShardId): OutboxMessage[] {
    const table = this.#table();
    const messages: OutboxMessage[] = [];
    let bytes = 0;
    for (const entry of leader.machine.links.outbox()) {
      if (table[entry.slot] !== target) continue;
      bytes += sizeOf(entry);
      if (messages.length > 0 && bytes > limits.deliveryBytesMax) break;
      messages.push(entry);
      if (messages.length >= limits.deliveryMax) break;
    }
    return messages;
  }

  async #deliver(
    leader: ShardLeader,
    target: ShardId,
    messages: readonly OutboxMessage[],
  ): Promise<void> {
    const { peers } = this.#context;
    const node = this.#context.leaderOf(target);
    if (node === undefined) throw new TschedError('noQuorum', `shard ${target} has no leader`);
    const items = messages.map(({ sequence, message }): Delivery => ({ sequence, message }));
    const command = {
      kind: 'deliver',
      source: leader.shard,
      items,
      atMs: 0,
      actor: nobody,
    } as const;
    const payload = encodeForwarded(target, command);
    const replies = decodeReplies(await peers.request(node, 'deliver', payload, deliverMs));
    const taken = messages.filter((_, place) => replies[place]?.ok === true);
    if (taken.length > 0) {
      this.delivered += taken.length;
      const sequences = taken.map(({ sequence }) => ({ sequence }));
      await leader.ask({ kind: 'acknowledge', items: sequences });
    }
    const refusal = replies.find(reply => !reply.ok);
    if (refusal?.ok === false) throw new TschedError(refusal.code, refusal.message);
  }

  /** Messages for a shard that this node leads. */
  async #take(payload: Uint8Array): Promise<Uint8Array> {
    const { shard, command } = decodeForwarded(payload);
    if (command.kind !== 'deliver') throw new TschedError('badRequest', 'not a delivery');
    const leader = this.#leaders.leading(shard);
    let bytes = 0;
    const items = command.items.map(item => {
      // What goes beyond the bound is asked for again by apply, and comes with the next delivery.
      if (bytes > limits.deliveryBytesMax) return item;
      const complete = this.#withEnd(leader, item);
      bytes += complete.settled?.output?.length ?? 0;
      return complete;
    });
    const replies = await leader.ask({ kind: 'deliver', source: command.source, items });
    return encodeReplies(replies, this.#context.clusterVersion());
  }

  /** Says how a task ended that somebody asks about too late: only its row knows. */
  #withEnd(leader: ShardLeader, item: Delivery): Delivery {
    const { message, sequence } = item;
    if (message.kind !== 'await' || !leader.machine.isSettled(message.parent)) return item;
    return { sequence, message, settled: this.#endOf(leader, message.parent) };
  }

  #endOf(leader: ShardLeader, id: TaskId): SettledEnd | undefined {
    const hot = leader.machine.record(id);
    if (hot !== undefined) return endOfRecord(hot);
    const row = this.#store.row(leader.shard, taskKey(id));
    return row && endOfRecord(decodeTaskRow(row));
  }
}

function sizeOf({ message }: OutboxMessage): number {
  if (message.kind === 'await') return messageBytesGuess;
  return messageBytesGuess + 24 * message.children.length + (message.output?.length ?? 0);
}
