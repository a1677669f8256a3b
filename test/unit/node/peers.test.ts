/** Requests between nodes over a transport that does what the test says. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TschedError } from '../../../src/model/errors.ts';
import { limits } from '../../../src/model/limits.ts';
import { FrameWriter, readFrame } from '../../../src/node/frame.ts';
import { type PeerSink, Peers, type Standing } from '../../../src/node/peers.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { Transport, TransportEvents } from '../../../src/ports/transport.ts';
import { newMessage } from '../../../src/raft/message.ts';
import { seededRandom, VirtualTime } from '../../simulation/virtual-time.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (from: string): Uint8Array => new TextEncoder().encode(from);

let time: VirtualTime;
let events: TransportEvents;
let sent: Uint8Array[];
let peers: Peers;
let standing: Standing;
let seen: string[];

beforeEach(async () => {
  time = new VirtualTime();
  sent = [];
  seen = [];
  standing = 'member';
  const transport = {
    self: 'me',
    start: async (given: TransportEvents) => {
      events = given;
    },
    connected: (peer: string) => peer === 'you',
    send: (_peer: string, frame: Uint8Array) => {
      sent.push(frame);
      return true;
    },
  } as unknown as Transport;
  const random = seededRandom(1, 'peers');
  peers = new Peers({ clock: time.clock(() => true), log: silentLog, random, transport });
  const sink: PeerSink = {
    raft: (from, group) => seen.push(`raft ${from} ${group}`),
    toWorker: from => seen.push(`toWorker ${from}`),
    fromWorker: from => seen.push(`fromWorker ${from}`),
    advert: from => seen.push(`advert ${from}`),
    up: () => undefined,
    down: () => undefined,
  };
  await peers.start(sink, () => standing);
});

async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise(resolve => setImmediate(resolve));
  peers.flush();
}

/** Requests and responses in the frames that were sent. */
function sentParts(): { id: number; what: string; payload: string }[] {
  const parts: { id: number; what: string; payload: string }[] = [];
  const none = (): void => undefined;
  for (const frame of sent.splice(0)) {
    readFrame(frame, {
      raft: none,
      request: (id, method, payload) => parts.push({ id, what: method, payload: text(payload) }),
      response: (id, code, payload) => parts.push({ id, what: code, payload: text(payload) }),
      toWorker: none,
      fromWorker: none,
      advert: none,
    });
  }
  return parts.sort((left, right) => left.id - right.id);
}

function receive(write: (writer: FrameWriter) => void, from = 'you'): void {
  const writer = new FrameWriter();
  write(writer);
  events.onFrame(from, writer.take()!);
}

describe('a request', () => {
  test('resolves with the answer of the node it was sent to, and of no other', async () => {
    const asked = peers.request('you', 'greet', bytes('hello'), 1_000);
    peers.flush();
    const [request] = sentParts();
    expect(request).toMatchObject({ what: 'greet', payload: 'hello' });
    receive(writer => writer.response(request!.id, '', bytes('forged')), 'somebody');
    receive(writer => writer.response(request!.id, '', bytes('world')));
    expect(text(await asked)).toBe('world');
  });

  test('rejects with the code of the refusal, unknown ones as internal', async () => {
    for (const [code, told] of [
      ['notLeader', 'notLeader'],
      ['newlyInvented', 'internal'],
    ]) {
      const asked = peers.request('you', 'greet', bytes(''), 1_000);
      peers.flush();
      const [request] = sentParts();
      receive(writer => writer.response(request!.id, code!, bytes('why')));
      await expect(asked).rejects.toMatchObject({ code: told, message: 'why' });
    }
  });

  test('that was sent may have been done: late, cut off or at a stop, it is told so', async () => {
    const late = peers.request('you', 'greet', bytes(''), 1_000);
    while (time.nowMs < 1_000) time.step();
    await expect(late).rejects.toMatchObject({ code: 'outcomeUnknown' });
    const cut = peers.request('you', 'greet', bytes(''), 1_000);
    events.onDown('you', true);
    await expect(cut).rejects.toMatchObject({ code: 'outcomeUnknown' });
    const stopped = peers.request('you', 'greet', bytes(''), 1_000);
    peers.stop();
    await expect(stopped).rejects.toMatchObject({ code: 'outcomeUnknown' });
  });

  test('to the node itself has its deadline as well', async () => {
    peers.handle('slow', () => new Promise<Uint8Array>(() => undefined));
    const asked = peers.request('me', 'slow', bytes(''), 1_000);
    const late = expect(asked).rejects.toMatchObject({ code: 'outcomeUnknown' });
    expect(time.step()).toBe(true);
    expect(time.nowMs).toBe(1_000);
    await late;
  });

  test('has a number that no earlier process of the node has used', () => {
    const numbers = [1, 2].map(seed => {
      const transport = {
        self: 'me',
        connected: () => true,
        send: (_peer: string, frame: Uint8Array) => sent.push(frame) > 0,
      } as unknown as Transport;
      const clock = time.clock(() => true);
      const process = new Peers({ clock, random: seededRandom(seed), log: silentLog, transport });
      void process.request('you', 'greet', bytes(''), 1_000);
      process.flush();
      return sentParts()[0]?.id ?? 0;
    });
    expect(Math.abs(numbers[0]! - numbers[1]!)).toBeGreaterThan(1_000_000);
  });

  test('that cannot be sent is told as not done', async () => {
    await expect(peers.request('nobody', 'greet', bytes(''), 1_000)).rejects.toMatchObject({
      code: 'nodeUnreachable',
    });
    const huge = new Uint8Array(limits.rpcBytesMax + 1);
    await expect(peers.request('you', 'greet', huge, 1_000)).rejects.toMatchObject({
      code: 'tooLarge',
    });
    peers.flush();
    expect(sent).toEqual([]);
  });
});

describe('an answer', () => {
  test('carries the code of what was thrown, and unreadable bytes are the sender’s fault', async () => {
    peers.handle('refuse', () => {
      throw new TschedError('notLeader', 'no');
    });
    peers.handle('break', () => {
      throw new TypeError('oops');
    });
    peers.answer('json', () => ({}));
    receive(writer => writer.request(1, 'refuse', bytes('')));
    receive(writer => writer.request(2, 'break', bytes('')));
    receive(writer => writer.request(3, 'json', bytes('{')));
    receive(writer => writer.request(4, 'unheard', bytes('')));
    await settle();
    expect(sentParts().map(({ id, what }) => [id, what])).toEqual([
      [1, 'notLeader'],
      [2, 'internal'],
      [3, 'badRequest'],
      [4, 'forbidden'],
    ]);
  });

  test('that does not fit a frame is a refusal, not a frame that nobody can read', async () => {
    peers.handle('all', () => new Uint8Array(limits.rpcBytesMax + 1));
    receive(writer => writer.request(7, 'all', bytes('')));
    await settle();
    expect(sentParts()).toMatchObject([{ id: 7, what: 'tooLarge' }]);
  });
});

describe('a node that is not a member', () => {
  const everything = (writer: FrameWriter): void => {
    writer.raft(1, 5, newMessage('MsgApp', 1, 2, 3));
    writer.raft(0, 0, newMessage('MsgApp', 1, 2, 3));
    writer.raft(0, 5, newMessage('MsgApp', 1, 2, 3));
    writer.toWorker(bytes('x'));
    writer.fromWorker(bytes('x'));
    writer.advert(bytes('x'));
    writer.request(1, 'join', bytes('{}'));
    writer.request(2, 'submit', bytes('{}'));
  };

  test('is answered to open requests only, and heard on the registry of exactly this store', async () => {
    peers.answer('join', () => 'welcome', { open: true });
    peers.answer('submit', () => 'taken');
    standing = 'unknown';
    receive(everything);
    await settle();
    expect(seen).toEqual(['raft you 0']);
    expect(sentParts().map(({ id, what }) => [id, what])).toEqual([
      [1, ''],
      [2, 'forbidden'],
    ]);
  });

  test('is not heard at all once it was removed', async () => {
    peers.answer('submit', () => 'taken');
    standing = 'removed';
    receive(everything);
    await settle();
    expect(seen).toEqual([]);
    expect(sentParts().map(({ what }) => what)).toEqual(['forbidden', 'forbidden']);
  });
});

test('a frame that cannot be read is counted and harms nothing', () => {
  events.onFrame('you', Uint8Array.of(1, 99, 4));
  events.onFrame('you', Uint8Array.of(7));
  expect(peers.badFrames).toBe(2);
});
