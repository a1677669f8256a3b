/** The stream of events over shards that answer, do not, or have forgotten. */
import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import type { TaskEvent } from '../../../src/model/task.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import { EventsFeed } from '../../../src/node/events-feed.ts';
import { VirtualTime } from '../../simulation/virtual-time.ts';

const event = (shard: number, seq: number): TaskEvent => ({
  shard,
  seq,
  atMs: 1_000 + seq,
  kind: 'submitted',
  taskId: '00000000000000000000' as TaskId,
  tenant: 'default',
  state: 'waiting',
});

/** A shard as the machine keeps its events. */
class Shard {
  readonly shard: number;
  lastSeq = 0;
  firstSeq = 1;
  here = true;
  /** Nobody answers for it. */
  away = false;
  /** Of events that its leader stamped otherwise. */
  readonly stamps = new Map<number, number>();

  constructor(shard: number) {
    this.shard = shard;
  }

  eventsAfter(after: number, limit: number): TaskEvent[] | 'expired' {
    if (after + 1 < this.firstSeq) return 'expired';
    const events: TaskEvent[] = [];
    for (let seq = after + 1; seq <= Math.min(this.lastSeq, after + limit); seq++) {
      const made = event(this.shard, seq);
      events.push({ ...made, atMs: this.stamps.get(seq) ?? made.atMs });
    }
    return events;
  }
}

function make(shards: readonly Shard[], elsewhere: readonly Shard[] = []) {
  const time = new VirtualTime();
  const context = {
    nodeId: 'me',
    clock: time.clock(() => true),
    loop: {
      replica: (shard: number) =>
        shards[shard - 1]?.here === true ? { machine: shards[shard - 1] } : undefined,
    },
    leaderOf: (shard: number) => (elsewhere[shard - 1]?.away === false ? 'you' : undefined),
    peers: {
      answer: () => undefined,
      ask: async (_node: string, _method: string, body: { shard: number; after: number }) => {
        const shard = elsewhere[body.shard - 1]!;
        const { lastSeq } = shard;
        if (body.after < 0) return { events: [], lastSeq, expired: false };
        const events = shard.eventsAfter(body.after, 500);
        return events === 'expired'
          ? { events: [], lastSeq, expired: true }
          : { events, lastSeq, expired: false };
      },
    },
  } as unknown as NodeContext;
  const feed = new EventsFeed({ context, shards: () => shards.length, shardOf: () => 1 });
  return { feed, time };
}

type Stream = AsyncIterator<{ readonly cursor: string; readonly event: TaskEvent }>;

/** Takes so many events while time passes; fewer where no more come for a second. */
async function take(stream: Stream, time: VirtualTime, count: number) {
  const taken: { readonly cursor: string; readonly event: TaskEvent }[] = [];
  while (taken.length < count) {
    let result: Awaited<ReturnType<Stream['next']>> | undefined;
    const next = stream.next().then(value => {
      result = value;
    });
    const endMs = time.nowMs + 1_000;
    while (result === undefined && time.nowMs <= endMs) {
      await new Promise(resolve => setImmediate(resolve));
      if (result === undefined && !time.step()) break;
    }
    if (result === undefined || result.done === true) return taken;
    await next;
    taken.push(result.value);
  }
  return taken;
}

const open = (feed: EventsFeed, cursor?: string): Stream =>
  feed.events(cursor, {}, new AbortController().signal)[Symbol.asyncIterator]();

const places = (taken: readonly { readonly event: TaskEvent }[]): string[] =>
  taken.map(({ event: { shard, seq } }) => `${shard}.${seq}`);

/** Begins the stream, which then waits, before anything happens. */
async function begun(feed: EventsFeed, time: VirtualTime) {
  const stream = open(feed);
  const first = stream.next();
  for (let round = 0; round < 3; round++) {
    await new Promise(resolve => setImmediate(resolve));
    time.step();
  }
  return { stream, first };
}

describe('the stream of events', () => {
  test('goes on exactly behind its cursor, at every event', async () => {
    const shards = [new Shard(1), new Shard(2)];
    const { feed, time } = make(shards);
    const { stream, first } = await begun(feed, time);
    shards[0]!.lastSeq = 3;
    shards[1]!.lastSeq = 2;
    feed.changed();
    const head = (await first).value as { cursor: string; event: TaskEvent };
    const all = [head, ...(await take(stream, time, 4))];
    expect(places(all)).toEqual(['1.1', '2.1', '1.2', '2.2', '1.3']);
    for (const [position, { cursor }] of all.entries()) {
      const rest = await take(open(feed, cursor), time, 4 - position);
      expect(places(rest)).toEqual(places(all).slice(position + 1));
    }
  });

  test('keeps the order of a shard whose leaders had different clocks', async () => {
    const shards = [new Shard(1), new Shard(2)];
    const { feed, time } = make(shards);
    const { stream, first } = await begun(feed, time);
    // The first leader's clock was fast: what came under the next one is stamped earlier.
    shards[0]!.stamps.set(1, 9_000).set(2, 1_001).set(3, 9_000);
    shards[0]!.lastSeq = 3;
    shards[1]!.lastSeq = 2;
    feed.changed();
    const head = (await first).value as { cursor: string; event: TaskEvent };
    const all = [head, ...(await take(stream, time, 9))];
    expect(places(all)).toEqual(['2.1', '2.2', '1.1', '1.2', '1.3']);
    for (const [position, { cursor }] of all.entries()) {
      const rest = await take(open(feed, cursor), time, 4 - position);
      expect(places(rest)).toEqual(places(all).slice(position + 1));
    }
  });

  test('delivers a shard that was away at its beginning and has dropped old events', async () => {
    const here = [new Shard(1), new Shard(2)];
    const there = [new Shard(1), new Shard(2)];
    here[1]!.here = false;
    there[1]!.away = true;
    there[1]!.lastSeq = 5_000;
    there[1]!.firstSeq = 3_001;
    const { feed, time } = make(here, there);
    const { stream, first } = await begun(feed, time);
    there[1]!.away = false;
    // It answers, and is followed from here on.
    const answeredMs = time.nowMs + 1_500;
    let got: TaskEvent | undefined;
    const told = first.then(({ value }) => {
      got = value.event;
    });
    for (let round = 0; round < 500 && got === undefined; round++) {
      if (time.nowMs > answeredMs) there[1]!.lastSeq = 5_002;
      await new Promise(resolve => setImmediate(resolve));
      time.step();
    }
    expect(got?.seq).toBe(5_001);
    await told;
    expect(places(await take(stream, time, 1))).toEqual(['2.5002']);
  });

  test('asks the leader for what a replica here has forgotten in a restart', async () => {
    const here = [new Shard(1)];
    const there = [new Shard(1)];
    const { feed, time } = make(here, there);
    const { stream, first } = await begun(feed, time);
    here[0]!.lastSeq = 3;
    there[0]!.lastSeq = 3;
    feed.changed();
    const { cursor } = (await first).value as { cursor: string };
    expect(places(await take(stream, time, 2))).toEqual(['1.2', '1.3']);
    here[0]!.firstSeq = 4;
    expect(places(await take(open(feed, cursor), time, 2))).toEqual(['1.2', '1.3']);
    there[0]!.away = true;
    await expect(open(feed, cursor).next()).rejects.toMatchObject({ code: 'cursorExpired' });
  });

  test('leaves nothing behind when it is let go of', async () => {
    const shards = [new Shard(1)];
    const { feed, time } = make(shards);
    const { stream, first } = await begun(feed, time);
    shards[0]!.lastSeq = 1;
    feed.changed();
    await first;
    const pendingBefore = time.pending;
    await stream.return?.(undefined);
    while (time.step());
    expect(pendingBefore).toBeLessThan(10);
    expect(time.pending).toBe(0);
  });

  test('refuses a cursor that it did not give', async () => {
    const { feed } = make([new Shard(1)]);
    for (const cursor of ['x', 'AQ', Buffer.from([1, 5, 1]).toString('base64url')]) {
      await expect(open(feed, cursor).next()).rejects.toMatchObject({ code: 'badRequest' });
    }
  });
});
