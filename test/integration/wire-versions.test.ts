/** Programs of two wire versions that meet on a real connection. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNet, type Net } from '../../src/net/create-libp2p.ts';
import { newNetworkKey, newPrivateKey } from '../../src/net/keys.ts';
import { Peers } from '../../src/node/peers.ts';
import { realClock, realRandom } from '../../src/node/real-clock.ts';
import { type WireRange, wireRange } from '../../src/node/wire-version.ts';
import { silentLog } from '../../src/ports/log.ts';
import { newMessage } from '../../src/raft/message.ts';
import { until } from '../support/until.ts';

interface Side {
  readonly net: Net;
  readonly peers: Peers;
  /** What it heard of Raft, group by group. */
  readonly heard: number[];
}

let networkKey: Uint8Array;
let sides: Side[];

async function side(wire: WireRange): Promise<Side> {
  const net = await createNet({
    privateKey: await newPrivateKey(),
    networkKey,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    log: silentLog,
    mayConnect: () => true,
  });
  const { transport } = net;
  const peers = new Peers({
    clock: realClock,
    random: realRandom(),
    log: silentLog,
    transport,
    wire,
  });
  const heard: number[] = [];
  const made = { net, peers, heard };
  sides.push(made);
  peers.answer('double', (_from, body: { readonly number: number }) => body.number * 2);
  await peers.start(
    {
      raft: (_from, group) => heard.push(group),
      toWorker: () => undefined,
      fromWorker: () => undefined,
      advert: () => undefined,
      up: () => undefined,
      down: () => undefined,
    },
    () => 'member',
  );
  return made;
}

/** Both say something, and ask something, in the version that they agreed on. */
async function talk(left: Side, right: Side): Promise<void> {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    const group = to.heard.length + 1;
    from.peers.to(to.peers.self).raft(group, 0, newMessage('MsgHeartbeat', 1, 2, 3));
    expect(await from.peers.ask(to.peers.self, 'double', { number: 21 })).toBe(42);
    expect(to.heard.at(-1)).toBe(group);
  }
}

beforeEach(() => {
  networkKey = newNetworkKey();
  sides = [];
});

afterEach(async () => {
  for (const { net, peers } of sides) {
    peers.stop();
    await net.stop();
  }
});

test('the next program and this one speak what this one reads; two of the next speak that', async () => {
  const next: WireRange = { version: wireRange.version + 1, minVersion: wireRange.version };
  const present = await side(wireRange);
  const one = await side(next);
  const other = await side(next);
  for (const [left, right] of [
    [one, present],
    [other, one],
  ] as const) {
    left.peers.connect(right.peers.self, right.net.transport.addresses());
    await until('they are connected', () => right.peers.connected(left.peers.self));
  }
  await until('two of the next version agree', () =>
    [one.peers.wireVersion(other.peers.self), other.peers.wireVersion(one.peers.self)].every(
      version => version === next.version,
    ),
  );
  await talk(one, present);
  await talk(one, other);
  expect(one.peers.wireVersion(present.peers.self)).toBe(wireRange.version);
  expect(present.peers.wireVersion(one.peers.self)).toBe(wireRange.version);
  expect(sides.map(({ peers }) => peers.badFrames)).toEqual([0, 0, 0]);
});

test('programs without a version in common drop what they cannot read, and say why', async () => {
  const present = await side(wireRange);
  const alien = await side({ version: 9, minVersion: 9 });
  alien.peers.connect(present.peers.self, present.net.transport.addresses());
  await until('they are connected', () => present.peers.connected(alien.peers.self));
  alien.peers.to(present.peers.self).raft(1, 0, newMessage('MsgHeartbeat', 1, 2, 3));
  await until('it was noticed', () => present.peers.badFrames > 0);
  expect(present.heard).toEqual([]);
  expect(present.peers.whyForeign(alien.peers.self)).toContain('it speaks wire version 9');
});
