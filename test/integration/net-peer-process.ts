/** A node in a process of its own: prints its addresses, then sends every frame back. */
import { createNet } from '../../src/net/create-libp2p.ts';
import { newPrivateKey } from '../../src/net/keys.ts';
import { silentLog } from '../../src/ports/log.ts';

const net = await createNet({
  privateKey: await newPrivateKey(),
  networkKey: new Uint8Array(Buffer.from(process.argv[2] ?? '', 'hex')),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  log: silentLog,
  mayConnect: () => true,
});
await net.transport.start({
  onFrame: (from, frame) => net.transport.send(from, frame.slice()),
  onUp: () => undefined,
  onDown: () => undefined,
});
process.stdout.write(
  `${JSON.stringify({ id: net.transport.self, addresses: net.transport.addresses() })}\n`,
);
// An orphan must not outlive the test that started it.
process.stdin.on('end', () => process.exit(0)).resume();
