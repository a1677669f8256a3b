/**
 * The stream of events over all shards. Each shard numbers its events; a cursor is the vector of
 * positions, so that a client goes on exactly where it was, at any node.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { TschedError } from '../model/errors.ts';
import type { ShardId, TaskId } from '../model/ids.ts';
import type { TaskEvent } from '../model/task.ts';
import type { ShardMachine } from '../shard/machine.ts';
import type { NodeContext } from './context.ts';

const pageMax = 500;
/** How often shards without a replica here are asked. */
const remotePaceMs = 500;

interface EventsAnswer {
  readonly events: TaskEvent[];
  readonly lastSeq: number;
  readonly expired: boolean;
}

export interface EventFilter {
  readonly tenant?: string | undefined;
  readonly taskId?: TaskId | undefined;
}

export class EventsFeed {
  readonly #context: NodeContext;
  readonly #shards: () => number;
  readonly #shardOf: (id: TaskId) => ShardId;
  #waiters: (() => void)[] = [];

  constructor(deps: {
    readonly context: NodeContext;
    readonly shards: () => number;
    readonly shardOf: (id: TaskId) => ShardId;
  }) {
    this.#context = deps.context;
    this.#shards = deps.shards;
    this.#shardOf = deps.shardOf;
    this.#context.peers.answer<{ shard: ShardId; after: number }>('events', (_from, body) =>
      this.#here(body.shard, body.after),
    );
  }

  /** Called by the node whenever an entry with effects was applied. */
  changed(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #here(shard: ShardId, after: number): EventsAnswer {
    const replica = this.#context.loop.replica(shard);
    if (replica === undefined)
      throw new TschedError('notLeader', `no replica of shard ${shard} here`);
    const machine = replica.machine as unknown as ShardMachine;
    // A position that no event has had yet: only the newest one is wanted.
    if (after < 0) return { events: [], lastSeq: machine.lastSeq, expired: false };
    const events = machine.eventsAfter(after, pageMax);
    if (events === 'expired') return { events: [], lastSeq: machine.lastSeq, expired: true };
    return { events: [...events], lastSeq: machine.lastSeq, expired: false };
  }

  async #of(shard: ShardId, after: number): Promise<EventsAnswer | undefined> {
    const local =
      this.#context.loop.replica(shard) === undefined ? undefined : this.#here(shard, after);
    // A replica that was just started holds no old events; others may.
    if (local?.expired === false) return local;
    const leader = this.#context.leaderOf(shard);
    if (leader === undefined || leader === this.#context.nodeId) return local;
    try {
      return await this.#context.peers.ask<EventsAnswer>(leader, 'events', { shard, after }, 2_000);
    } catch (error) {
      if (error instanceof TschedError) return local;
      throw error;
    }
  }

  async *events(
    cursor: string | undefined,
    filter: EventFilter,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly cursor: string; readonly event: TaskEvent }> {
    const shards =
      filter.taskId === undefined
        ? Array.from({ length: this.#shards() }, (_, position) => position + 1)
        : [this.#shardOf(filter.taskId)];
    const positions = await this.#begin(cursor, shards);
    while (!signal.aborted) {
      const news = this.#news(signal);
      try {
        const found = await this.#collect(positions, shards);
        for (const event of found) {
          positions.set(event.shard, event.seq);
          const mine =
            (filter.tenant === undefined || event.tenant === filter.tenant) &&
            (filter.taskId === undefined || event.taskId === filter.taskId);
          if (mine) yield { cursor: encodeCursor(positions), event };
          if (signal.aborted) return;
        }
        if (found.length === 0) await news.arrived;
      } finally {
        news.cancel();
      }
    }
  }

  async #begin(
    cursor: string | undefined,
    shards: readonly ShardId[],
  ): Promise<Map<ShardId, number>> {
    const positions = cursor === undefined ? new Map<ShardId, number>() : decodeCursor(cursor);
    await Promise.all(
      shards.map(async shard => {
        if (positions.has(shard)) return;
        // A shard that does not answer is followed from its beginning once it does.
        const answer = await this.#of(shard, -1);
        positions.set(shard, answer?.lastSeq ?? -1);
      }),
    );
    return positions;
  }

  /** All shards at once: one that does not answer holds up none of the others for longer. */
  async #collect(
    positions: Map<ShardId, number>,
    shards: readonly ShardId[],
  ): Promise<TaskEvent[]> {
    const answers = await Promise.all(
      shards.map(async shard => {
        const after = positions.get(shard) ?? -1;
        return { shard, after, answer: await this.#of(shard, Math.max(after, 0)) };
      }),
    );
    const found: (readonly TaskEvent[])[] = [];
    for (const { shard, after, answer } of answers) {
      if (answer === undefined) continue;
      if (!answer.expired) found.push(answer.events);
      // Never heard of, and its beginning is not kept any more: from here on.
      else if (after < 0) positions.set(shard, answer.lastSeq);
      else {
        throw new TschedError(
          'cursorExpired',
          `shard ${shard} keeps no events as old as the cursor`,
        );
      }
    }
    return inOrder(found);
  }

  #news(signal: AbortSignal): { arrived: Promise<void>; cancel: () => void } {
    let wake: () => void = () => undefined;
    const arrived = new Promise<void>(resolve => {
      wake = resolve;
    });
    this.#waiters.push(wake);
    const cancelTimer = this.#context.clock.after(remotePaceMs, wake);
    signal.addEventListener('abort', wake, { once: true });
    return {
      arrived,
      cancel: () => {
        cancelTimer();
        signal.removeEventListener('abort', wake);
        this.#waiters = this.#waiters.filter(waiter => waiter !== wake);
      },
    };
  }
}

/**
 * About by instant, and exactly by number within a shard: its leaders stamp events by their own
 * clocks, so that an instant may be before that of an earlier event, and a cursor tells only how
 * far a shard was read.
 */
function inOrder(shards: readonly (readonly TaskEvent[])[]): TaskEvent[] {
  const dated = shards.flatMap(events => {
    let atMs = 0;
    return events.map(event => {
      atMs = Math.max(atMs, event.atMs);
      return { event, atMs };
    });
  });
  dated.sort(
    (left, right) =>
      left.atMs - right.atMs ||
      left.event.shard - right.event.shard ||
      left.event.seq - right.event.seq,
  );
  return dated.map(({ event }) => event);
}

function encodeCursor(positions: ReadonlyMap<ShardId, number>): string {
  const writer = new ByteWriter(positions.size * 4 + 8).u8(1);
  const entries = [...positions].sort(([left], [right]) => left - right);
  // Moved up by one: -1 stands for a shard that was never heard of.
  writer.list(entries, (w, [shard, seq]) => w.varint(shard).varint(seq + 1));
  return Buffer.from(writer.finish()).toString('base64url');
}

function decodeCursor(text: string): Map<ShardId, number> {
  try {
    const reader = new ByteReader(new Uint8Array(Buffer.from(text, 'base64url')));
    reader.version(1, 'cursor');
    return new Map(reader.list(r => [r.varint(), r.varint() - 1] as const));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new TschedError('badRequest', 'the cursor is not one that the event stream gave', {
      field: 'cursor',
    });
  }
}
