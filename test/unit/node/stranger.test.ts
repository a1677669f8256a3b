/** A process that is in the private network and is not a node of the cluster. */
import { expect, test } from 'vitest';
import { encodeAdvertisement } from '../../../src/model/advertisement.ts';
import { decodeToWorker } from '../../../src/model/worker-protocol.ts';
import { readFrame } from '../../../src/node/frame.ts';
import { wireRange } from '../../../src/node/wire-version.ts';
import { SmallWorld, someSpec, submitted } from './small-world.ts';

test('a stranger that advertises room is given no work', async () => {
  const world = new SmallWorld({ shards: 1 });
  const [node] = await world.cluster(1);
  const given: string[] = [];
  const ignore = (): void => undefined;
  // Whoever ever held a join token can dial, also where it has expired.
  const { transport, gossip } = world.net.join('stranger');
  await transport.start({
    onFrame: (_from, frame) =>
      readFrame(
        frame,
        {
          raft: ignore,
          request: ignore,
          response: ignore,
          fromWorker: ignore,
          advert: ignore,
          toWorker: bytes => given.push(decodeToWorker(bytes).kind),
        },
        wireRange,
      ),
    onUp: ignore,
    onDown: ignore,
  });
  await gossip.start(() => true);
  transport.connect('n1', ['/sim/p2p/n1']);
  await world.until(() => transport.connected('n1'));
  const lots = { ...someSpec().request, cpuMilli: 1_000_000, memoryBytes: 1e12 };
  let sequence = 0;
  const advertise = (): void =>
    gossip.publish(
      encodeAdvertisement({
        node: 'stranger',
        name: 'stranger',
        boot: 1,
        sequence: ++sequence,
        incarnation: 'mine',
        tier: 'premium',
        total: lots,
        free: lots,
        labels: [],
        running: 0,
        queued: 0,
        queueRoom: 8,
        leads: [],
        draining: false,
        httpAddress: '',
        registryIndex: 0,
      }),
    );
  advertise();
  await world.pass(100);
  const whole = { ...someSpec().request, cpuMilli: 1_000 };
  // More than the node itself has room for.
  await submitted(
    world,
    node!,
    Array.from({ length: 20 }, () => someSpec({ request: whole })),
  );
  advertise();
  await world.pass(3_000);
  expect(given).toEqual([]);
  expect(world.fatals).toEqual([]);
});
