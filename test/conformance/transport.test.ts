import { transportSuite } from './transport.ts';
import { libp2pWorld } from './transport-libp2p-world.ts';
import { simWorld } from './transport-sim-world.ts';

transportSuite('simulated', () => simWorld());
transportSuite('simulated, with a slow and uneven network', () =>
  simWorld({ delayMsMin: 1, delayMsTypical: 10, delayMsMax: 400 }, 42),
);
transportSuite('libp2p', () => libp2pWorld());
