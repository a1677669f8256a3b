/** Real connections that end in the moment in which a stream is opened on them. */
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { createLibp2p, type Libp2p } from 'libp2p';
import { afterEach, expect, test } from 'vitest';
import { guardedYamux } from '../../src/net/guarded-yamux.ts';

const protocol = '/test/1';
const hosts: Libp2p[] = [];

async function startHost(): Promise<Libp2p> {
  const host = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [guardedYamux()],
    connectionMonitor: { enabled: false },
  });
  hosts.push(host);
  await host.handle(protocol, () => undefined);
  return host;
}

afterEach(async () => {
  await Promise.all(hosts.splice(0).map(host => host.stop()));
});

/** The muxer's side of a connection. It is closed for writing a moment before anybody is told. */
interface ConnectionInside {
  readonly muxer: { readonly maConn: { writeStatus: string } };
}

test('a stream on a connection that can no longer be written to fails, and nothing else does', async () => {
  const [left, right] = [await startHost(), await startHost()];
  const uncaught: unknown[] = [];
  const note = (error: unknown): number => uncaught.push(error);
  process.on('uncaughtException', note);
  try {
    const connection = await left.dial(right.getMultiaddrs());
    (connection as unknown as ConnectionInside).muxer.maConn.writeStatus = 'closed';
    const opening = connection.newStream(protocol, { signal: AbortSignal.timeout(2_000) });
    await expect(opening).rejects.toThrow();
    // What was thrown at nobody has been noted by now.
    await new Promise(resolve => setImmediate(resolve));
    expect(uncaught).toEqual([]);
    connection.abort(new Error('over'));
  } finally {
    process.off('uncaughtException', note);
  }
});

test('a stream carries far more than its window although acknowledgements are saved up', async () => {
  const [left, right] = [await startHost(), await startHost()];
  const pieceBytes = 1_000;
  const total = 8 * 1024 * pieceBytes;
  const all = Promise.withResolvers<number>();
  let received = 0;
  let sum = 0;
  await right.handle('/test/flow', stream => {
    stream.addEventListener('message', event => {
      for (const byte of event.data.subarray()) sum = (sum * 31 + byte) >>> 0;
      received += event.data.byteLength;
      if (received === total) all.resolve(sum);
    });
  });
  const connection = await left.dial(right.getMultiaddrs());
  const stream = await connection.newStream('/test/flow');
  let expected = 0;
  for (let sent = 0; sent < total; sent += pieceBytes) {
    const piece = new Uint8Array(pieceBytes).map((_, at) => sent * 7 + at);
    for (const byte of piece) expected = (expected * 31 + byte) >>> 0;
    if (!stream.send(piece)) await stream.onDrain({ signal: AbortSignal.timeout(5_000) });
  }
  expect(await all.promise).toBe(expected);
});

test('a message of many windows arrives whole', async () => {
  const [left, right] = [await startHost(), await startHost()];
  const bytes = 3 * 1024 * 1024;
  const all = Promise.withResolvers<number>();
  let received = 0;
  await right.handle('/test/large', stream => {
    stream.addEventListener('message', event => {
      received += event.data.byteLength;
      if (received === bytes) all.resolve(received);
    });
  });
  const connection = await left.dial(right.getMultiaddrs());
  const stream = await connection.newStream('/test/large');
  stream.send(new Uint8Array(bytes));
  expect(await all.promise).toBe(bytes);
});

test('a stream on a whole connection is opened as ever', async () => {
  const [left, right] = [await startHost(), await startHost()];
  const connection = await left.dial(right.getMultiaddrs());
  const stream = await connection.newStream(protocol);
  expect(stream.status).toBe('open');
});
