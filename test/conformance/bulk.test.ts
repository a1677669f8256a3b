import { bulkSuite } from './bulk.ts';
import { libp2pWorld } from './transport-libp2p-world.ts';
import { simWorld } from './transport-sim-world.ts';

bulkSuite('simulated', () => simWorld());
bulkSuite('simulated, with a slow and uneven network', () =>
  simWorld({ delayMsMin: 1, delayMsTypical: 10, delayMsMax: 400 }, 42),
);
bulkSuite('libp2p', () => libp2pWorld());
