/** How losses are noticed: processes that end, that freeze, and streams that break. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNet, type Net } from '../../src/net/create-libp2p.ts';
import { newNetworkKey, newPrivateKey } from '../../src/net/keys.ts';
import { framesProtocol } from '../../src/net/protocols.ts';
import { silentLog } from '../../src/ports/log.ts';
import { until } from '../conformance/transport-libp2p-world.ts';
import { createRogue } from './net-rogue.ts';

interface Peer {
  readonly child: ChildProcess;
  readonly id: string;
  readonly addresses: string[];
}

describe('losing a peer', () => {
  let networkKey: Uint8Array;
  let net: Net;
  let children: ChildProcess[];
  let ups: string[];
  let downs: { peer: string; refused: boolean }[];
  let echoes: number;

  async function startPeer(): Promise<Peer> {
    const script = new URL('net-peer-process.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, Buffer.from(networkKey).toString('hex')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const line = await new Promise<string>((resolve, reject) => {
      child.once('exit', code => reject(new Error(`peer ended with ${code}`)));
      createInterface(child.stdout).once('line', resolve);
    });
    return { child, ...(JSON.parse(line) as { id: string; addresses: string[] }) };
  }

  beforeEach(async () => {
    networkKey = newNetworkKey();
    [children, ups, downs, echoes] = [[], [], [], 0];
    net = await createNet({
      privateKey: await newPrivateKey(),
      networkKey,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      log: silentLog,
      mayConnect: () => true,
    });
    await net.transport.start({
      onFrame: () => echoes++,
      onUp: peer => ups.push(peer),
      onDown: (peer, refused) => downs.push({ peer, refused }),
    });
  });

  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await net.stop();
  });

  test('a process killed with -9 is reported as refused, long before any heartbeat', async () => {
    const peer = await startPeer();
    net.transport.connect(peer.id, peer.addresses);
    await until('it is up', () => net.transport.connected(peer.id));
    const since = performance.now();
    peer.child.kill('SIGKILL');
    await until('the loss is seen', () => downs.length === 1);
    expect(downs).toEqual([{ peer: peer.id, refused: true }]);
    // 15 to 40 ms where nothing else runs; the bound only keeps it from being the keep-alive.
    expect(performance.now() - since).toBeLessThan(1_500);
  });

  test('one refused peer leaves the others connected', async () => {
    const [one, two] = await Promise.all([startPeer(), startPeer()]);
    for (const peer of [one, two]) net.transport.connect(peer.id, peer.addresses);
    await until('both are up', () => ups.length === 2);
    one.child.kill('SIGKILL');
    await until('the loss is seen', () => downs.length === 1);
    net.transport.send(two.id, Uint8Array.of(1));
    await until('the other answers', () => echoes === 1);
    expect(net.transport.connected(two.id)).toBe(true);
  });

  test('a frozen process is lost but not refused, and up again once it thaws', async () => {
    const peer = await startPeer();
    net.transport.connect(peer.id, peer.addresses);
    await until('it is up', () => net.transport.connected(peer.id));
    net.transport.send(peer.id, Uint8Array.of(1));
    await until('it answers', () => echoes === 1);
    peer.child.kill('SIGSTOP');
    await until('the silence is seen', () => downs.length === 1);
    expect(downs).toEqual([{ peer: peer.id, refused: false }]);
    expect(net.transport.counters()['silent']).toBe(1);
    peer.child.kill('SIGCONT');
    await until('it is up again', () => net.transport.connected(peer.id));
    net.transport.send(peer.id, Uint8Array.of(1));
    await until('it answers again', () => echoes === 2);
  });

  test('a connection that fell quiet stays up', async () => {
    const peer = await startPeer();
    net.transport.connect(peer.id, peer.addresses);
    await until('it is up', () => net.transport.connected(peer.id));
    net.transport.send(peer.id, Uint8Array.of(1));
    await until('it answers', () => echoes === 1);
    const since = performance.now();
    await until('five quiet seconds have passed', () => performance.now() - since > 5_000);
    expect(downs).toEqual([]);
    expect(ups).toEqual([peer.id]);
    expect(net.transport.counters()).toMatchObject({ framesIn: 1, framesOut: 1, silent: 0 });
  });

  test('a reset stream is opened again over the same connection', async () => {
    const bad = await createRogue({ networkKey });
    const received: number[] = [];
    let last: { abort(error: Error): void } | undefined;
    await bad.host.handle(framesProtocol, stream => {
      last = stream;
      stream.addEventListener('message', event => received.push(event.data.byteLength));
    });
    net.transport.connect(bad.id, bad.addresses());
    await until('it is up', () => net.transport.connected(bad.id));
    const connections = bad.host.getConnections().map(connection => connection.id);
    await until('the stream has arrived', () => last !== undefined);
    last?.abort(new Error('broken'));
    await until('it is down and up again', () => downs.length === 1 && ups.length === 2);
    expect(downs).toEqual([{ peer: bad.id, refused: false }]);
    expect(bad.host.getConnections().map(connection => connection.id)).toEqual(connections);
    received.length = 0;
    expect(net.transport.send(bad.id, new Uint8Array(10))).toBe(true);
    await until('a frame arrives', () => received.includes(14));
    await bad.stop();
  });

  test('an unreadable address does not hide a good one', async () => {
    const peer = await startPeer();
    net.transport.connect(peer.id, ['not an address', '/ip4/127.0.0.1/tcp/1', ...peer.addresses]);
    await until('it is up', () => net.transport.connected(peer.id));
    expect(ups).toEqual([peer.id]);
  });

  test('new addresses replace old ones', async () => {
    const peer = await startPeer();
    net.transport.connect(peer.id, ['/ip4/127.0.0.1/tcp/1']);
    net.transport.connect(peer.id, peer.addresses);
    await until('it is up', () => net.transport.connected(peer.id));
    expect(ups).toEqual([peer.id]);
  });
});
