/**
 * What a stranger, and a member that misbehaves, can do to a node: be dropped and counted. After
 * each attack two good nodes must still reach each other. Real sockets throughout.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/model/bytes.ts';
import { limits } from '../../src/model/limits.ts';
import { createNet, type Net } from '../../src/net/create-libp2p.ts';
import { newNetworkKey, newPrivateKey } from '../../src/net/keys.ts';
import { advertTopic, framesProtocol } from '../../src/net/protocols.ts';
import { silentLog } from '../../src/ports/log.ts';
import { until } from '../conformance/transport-libp2p-world.ts';
import { createRogue, type Rogue, rawSocket } from './net-rogue.ts';

interface Member {
  readonly net: Net;
  readonly id: string;
  readonly address: string;
  readonly frames: string[];
  readonly ups: string[];
  readonly downs: string[];
  readonly heard: string[];
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('a hostile network', () => {
  let networkKey: Uint8Array;
  let refused: Set<string>;
  let cleanups: (() => Promise<unknown>)[];
  let a: Member;
  let b: Member;

  async function member(gossipPatienceMs?: number): Promise<Member> {
    const net = await createNet({
      privateKey: await newPrivateKey(),
      networkKey,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      log: silentLog,
      mayConnect: peer => !refused.has(peer),
      gossipPatienceMs,
    });
    cleanups.push(net.stop);
    const [frames, ups, downs, heard]: string[][] = [[], [], [], []];
    await net.transport.start({
      onFrame: (from, frame) => {
        if (frame[0] === 0xff) throw new DecodeError('version 255');
        frames?.push(`${from} ${decode(frame)}`);
      },
      onUp: peer => ups?.push(peer),
      onDown: peer => downs?.push(peer),
    });
    await net.gossip.start((author, message) => {
      const text = decode(message);
      if (!text.startsWith('advert ')) return false;
      heard?.push(`${author} ${text}`);
      return true;
    });
    const [address = ''] = net.transport.addresses();
    const id = net.transport.self;
    return { net, id, address, frames: frames!, ups: ups!, downs: downs!, heard: heard! };
  }

  async function rogue(
    options: { networkKey?: Uint8Array; signed?: boolean } = {},
  ): Promise<Rogue> {
    const made = await createRogue({ networkKey, ...options });
    cleanups.push(made.stop);
    return made;
  }

  /** The good nodes still exchange frames and gossip, both ways. */
  async function allIsWell(): Promise<void> {
    const mark = randomBytes(4).toString('hex');
    await until('a frame each way', () => {
      a.net.transport.send(b.id, encode(mark));
      b.net.transport.send(a.id, encode(mark));
      return b.frames.includes(`${a.id} ${mark}`) && a.frames.includes(`${b.id} ${mark}`);
    });
    let polls = 0;
    await until('gossip each way', () => {
      if (polls++ % 20 === 0) {
        a.net.gossip.publish(encode(`advert ${mark} ${polls}`));
        b.net.gossip.publish(encode(`advert ${mark} ${polls}`));
      }
      const from = (heard: string[], author: string): boolean =>
        heard.some(line => line.startsWith(`${author} advert ${mark}`));
      return from(b.heard, a.id) && from(a.heard, b.id);
    });
  }

  beforeEach(async () => {
    networkKey = newNetworkKey();
    refused = new Set();
    cleanups = [];
    a = await member();
    b = await member();
    a.net.transport.connect(b.id, [b.address]);
    await until('the good pair is up', () => a.ups.length === 1 && b.ups.length === 1);
  });

  afterEach(async () => {
    await Promise.all(cleanups.map(cleanup => cleanup()));
  });

  const counter = (of: Member, name: string): number => of.net.transport.counters()[name] ?? -1;
  const gossipCounter = (of: Member, name: string): number => of.net.gossip.counters()[name] ?? -1;

  test('bytes that are no libp2p are dropped and counted', async () => {
    const before = counter(a, 'badHandshakes');
    const sent = [
      Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
      randomBytes(100_000),
      Buffer.alloc(1_000_000),
      Buffer.concat([randomBytes(24), Buffer.from('\x13/multistream/1.0.0\n')]),
    ];
    for (const bytes of sent) {
      const socket = await rawSocket(a.address);
      const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
      socket.end(bytes);
      await closed;
    }
    await until('all are counted', () => counter(a, 'badHandshakes') === before + sent.length);
    expect(a.downs).toEqual([]);
    await allIsWell();
  });

  test('a socket that says nothing does not keep others out', async () => {
    const sockets = await Promise.all([...Array(30)].map(() => rawSocket(a.address)));
    const c = await member();
    c.net.transport.connect(a.id, [a.address]);
    await until('a new member gets in', () => c.ups.includes(a.id));
    for (const socket of sockets) socket.destroy();
    await until('the silent ones are counted', () => counter(a, 'badHandshakes') === 30);
    await allIsWell();
  });

  test('a node with another network key never comes up', async () => {
    const other = await rogue({ networkKey: newNetworkKey() });
    await expect(other.dial(a.address)).rejects.toThrow();
    await until('it is counted', () => counter(a, 'badHandshakes') === 1);
    a.net.transport.connect(other.id, other.addresses());
    await allIsWell();
    expect(a.ups).toEqual([b.id]);
  });

  test('a peer that is no member is refused, whoever dials', async () => {
    const stranger = await rogue();
    refused.add(stranger.id);
    const connection = await stranger.dial(a.address).catch(() => undefined);
    await until('it is cut off', () => connection === undefined || connection.status !== 'open');
    expect(counter(a, 'strangers')).toBe(1);
    a.net.transport.connect(stranger.id, stranger.addresses());
    await allIsWell();
    expect(a.ups).toEqual([b.id]);
    expect(stranger.host.getConnections().length).toBe(0);
  });

  test('a member that is no longer one stays out once it is disconnected', async () => {
    const former = await rogue();
    await former.dial(a.address);
    refused.add(former.id);
    a.net.transport.disconnect(former.id);
    await until('it is cut off', () => former.host.getConnections().length === 0);
    await former.dial(a.address).catch(() => undefined);
    await until('it is refused again', () => counter(a, 'strangers') >= 1);
    await allIsWell();
    expect(a.net.transport.connected(former.id)).toBe(false);
  });

  test('a member that is no longer one is cut off without being asked to leave', async () => {
    const former = await rogue();
    await former.host.handle(framesProtocol, () => undefined);
    const connection = await former.dial(a.address);
    await until('it is up', () => a.net.transport.connected(former.id));
    refused.add(former.id);
    const late = await connection.newStream(framesProtocol).catch(() => undefined);
    await until('a new stream is refused', () => late === undefined || late.status !== 'open');
    await until('it is cut off', () => connection.status !== 'open');
    await allIsWell();
    expect(a.downs).toEqual([former.id]);
  });

  test('a frame over the bound ends its stream, not the connection', async () => {
    const bad = await rogue();
    const connection = await bad.dial(a.address);
    const stream = await connection.newStream(framesProtocol);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(limits.frameBytesMax + 1);
    stream.send(header);
    await until('the stream is reset', () => stream.status === 'reset');
    expect(counter(a, 'badFrames')).toBe(1);
    expect(connection.status).toBe('open');
    const next = await connection.newStream(framesProtocol);
    next.send(Buffer.from([0, 0, 0, 1, 0x78]));
    await until('a good frame arrives', () => a.frames.includes(`${bad.id} x`));
    await allIsWell();
  });

  test('a frame that its receiver cannot decode ends its stream and is counted', async () => {
    const bad = await rogue();
    const connection = await bad.dial(a.address);
    const stream = await connection.newStream(framesProtocol);
    stream.send(Buffer.from([0, 0, 0, 2, 0xff, 0xff]));
    await until('the stream is reset', () => stream.status === 'reset');
    expect(counter(a, 'badFrames')).toBe(1);
    await allIsWell();
  });

  test('a newer stream of a peer replaces the older one: none pile up', async () => {
    const bad = await rogue();
    const connection = await bad.dial(a.address);
    for (let number = 0; number < 50; number++) {
      const stream = await connection.newStream(framesProtocol);
      stream.send(Buffer.from([0, 0, 0, 1, 0x79]));
    }
    await until('one stream is left', () => {
      const open = connection.streams.filter(
        stream => stream.protocol === framesProtocol && stream.direction === 'outbound',
      );
      return open.length === 1;
    });
    await allIsWell();
  });

  test('a peer that drops every stream we open is not tried in a tight loop', async () => {
    const bad = await rogue();
    let opened = 0;
    await bad.host.handle(framesProtocol, stream => {
      opened++;
      setTimeout(() => stream.abort(new Error('no')), 5);
    });
    await bad.dial(a.address);
    await until('a few were tried', () => opened >= 5);
    const since = performance.now();
    const from = opened;
    await until('one more second has passed', () => performance.now() - since > 1_000);
    expect(opened - from).toBeLessThan(15);
    await allIsWell();
  });

  test('oversized, unreadable and foreign gossip is dropped and good gossip goes on', async () => {
    const bad = await rogue();
    await bad.dial(a.address);
    bad.pubsub.subscribe(advertTopic);
    await until('it joined', () =>
      bad.pubsub.getSubscribers(advertTopic).some(peer => peer.toString() === a.id),
    );
    await bad.pubsub.publish(advertTopic, new Uint8Array(limits.gossipBytesMax + 1).fill(0x61));
    await bad.pubsub.publish(advertTopic, randomBytes(1_000));
    await bad.pubsub.publish('/other/topic', encode('advert elsewhere'));
    await until('both are counted', () => {
      return gossipCounter(a, 'oversized') === 1 && gossipCounter(a, 'rejected') === 1;
    });
    await bad.pubsub.publish(advertTopic, encode('advert of a member'));
    await until('its good message is heard', () =>
      a.heard.includes(`${bad.id} advert of a member`),
    );
    await allIsWell();
    expect(b.heard.some(line => line.includes('elsewhere'))).toBe(false);
    // The honest node passed on only what it accepted itself.
    expect(gossipCounter(b, 'oversized')).toBe(0);
    expect(gossipCounter(b, 'rejected')).toBe(0);
  });

  test('unsigned gossip is dropped and counted', async () => {
    const bad = await rogue({ signed: false });
    await bad.dial(a.address);
    bad.pubsub.subscribe(advertTopic);
    await until('it joined', () =>
      bad.pubsub.getSubscribers(advertTopic).some(peer => peer.toString() === a.id),
    );
    await bad.pubsub.publish(advertTopic, encode('advert without a name'));
    await until('it is counted', () => gossipCounter(a, 'unsigned') >= 1);
    await allIsWell();
    expect(a.heard.some(line => line.includes('without a name'))).toBe(false);
  });

  test('gossip by an author who is no member is dropped, though a member sends it', async () => {
    const outsider = await rogue();
    const carrier = await rogue();
    refused.add(outsider.id);
    await carrier.dial(a.address);
    await outsider.dial(carrier.addresses()[0] ?? '');
    carrier.pubsub.subscribe(advertTopic);
    outsider.pubsub.subscribe(advertTopic);
    let polls = 0;
    await until('it is counted', () => {
      if (polls++ % 20 === 0) void outsider.pubsub.publish(advertTopic, encode(`advert ${polls}`));
      return gossipCounter(a, 'strangers') >= 1;
    });
    await allIsWell();
    expect(a.heard.some(line => line.startsWith(outsider.id))).toBe(false);
  });

  test('a member that floods is cut to its share, the others are heard', async () => {
    const bad = await rogue();
    await bad.dial(a.address);
    bad.pubsub.subscribe(advertTopic);
    await until('it joined', () =>
      bad.pubsub.getSubscribers(advertTopic).some(peer => peer.toString() === a.id),
    );
    for (let number = 0; number < 1_500; number++) {
      await bad.pubsub.publish(advertTopic, encode(`advert flood ${number}`));
    }
    await until('some are dropped', () => gossipCounter(a, 'flooded') > 500);
    await allIsWell();
  });

  test('a gossip stream that only ended, one way, is noticed as well', async () => {
    const c = await member(1_000);
    const bad = await rogue();
    c.net.transport.connect(bad.id, bad.addresses());
    bad.pubsub.subscribe(advertTopic);
    let polls = 0;
    const isHeard = (word: string): boolean => {
      if (polls++ % 20 === 0)
        void bad.pubsub.publish(advertTopic, encode(`advert ${word} ${polls}`));
      return c.heard.some(line => line.startsWith(`${bad.id} advert ${word}`));
    };
    await until('it is heard', () => isHeard('first'));
    for (const connection of bad.host.getConnections()) {
      for (const stream of connection.streams) {
        const writes = stream.direction === 'outbound';
        if (writes && bad.pubsub.protocols.includes(stream.protocol)) await stream.close();
      }
    }
    await until('it is heard again', () => isHeard('again'));
    expect(gossipCounter(c, 'hungUp')).toBeGreaterThanOrEqual(1);
  });

  test('a message that breaks the gossip stream is got over by hanging up', async () => {
    const c = await member(1_000);
    const bad = await rogue();
    c.net.transport.connect(bad.id, bad.addresses());
    bad.pubsub.subscribe(advertTopic);
    const isJoined = (): boolean =>
      bad.pubsub.getSubscribers(advertTopic).some(peer => peer.toString() === c.id);
    await until('it joined', isJoined);
    let polls = 0;
    await until('it is heard', () => {
      if (polls++ % 20 === 0) void bad.pubsub.publish(advertTopic, encode(`advert first ${polls}`));
      return c.heard.some(line => line.startsWith(`${bad.id} advert first`));
    });
    await bad.pubsub.publish(advertTopic, new Uint8Array(6 * 1024 * 1024));
    for (const connection of bad.host.getConnections()) {
      for (const stream of connection.streams) {
        if (bad.pubsub.protocols.includes(stream.protocol)) stream.abort(new Error('broken'));
      }
    }
    await until('it is heard again', () => {
      if (polls++ % 20 === 0) void bad.pubsub.publish(advertTopic, encode(`advert again ${polls}`));
      return c.heard.some(line => line.startsWith(`${bad.id} advert again`));
    });
    expect(gossipCounter(c, 'hungUp')).toBeGreaterThanOrEqual(1);
    await allIsWell();
  });
});
