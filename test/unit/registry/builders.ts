/** Commands and registrations with visible defaults, for the registry's tests. */
import type { Actor } from '../../../src/model/command.ts';
import type { ReservationAsk } from '../../../src/model/reservation.ts';
import { noResources } from '../../../src/model/resources.ts';
import { encodeRegistryCommand, type RegistryCommand } from '../../../src/registry/command.ts';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import type { NodeRegistration, RegistryReply, TokenRecord } from '../../../src/registry/state.ts';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A command without its stamp. */
export type Ask = DistributiveOmit<RegistryCommand, 'atMs' | 'actor'>;

const actor: Actor = { name: 'node:a', tenant: '' };

export const hex = (digit: string): string => digit.repeat(64);

export function registration(
  id: string,
  changes: Partial<NodeRegistration> = {},
): NodeRegistration {
  return {
    id,
    name: `name-${id}`,
    storeId: `store-${id}`,
    bootCount: 1,
    bootId: `boot-${id}`,
    addresses: [`/ip4/127.0.0.1/tcp/7000/p2p/${id}`],
    httpAddress: '127.0.0.1:8000',
    tier: 'regular',
    total: { ...noResources, cpuMilli: 4_000, memoryBytes: 1_000_000 },
    labels: [['disk', 'ssd']],
    zone: '',
    weight: 100,
    version: '0.1.0',
    ...changes,
  };
}

export const adminToken: TokenRecord = {
  id: 'tok-1',
  name: 'admin',
  sha256: hex('a'),
  role: 'admin',
  tenant: 'default',
};

/** A reservation of one CPU on one node that fits, for a while. */
export const anAsk = (parts: Partial<ReservationAsk> = {}): ReservationAsk => ({
  name: 'r',
  tenant: 'default',
  amount: { ...noResources, cpuMilli: 1_000 },
  untilMs: 5_000_000,
  nodes: [],
  count: 1,
  tier: 'basic',
  require: [],
  ...parts,
});

export const bootstrap = (shards = 4): Ask => ({
  kind: 'bootstrap',
  clusterId: 'cluster-1',
  name: 'test',
  shards,
  replication: 3,
  formatVersion: 1,
  node: registration('a'),
  tokens: [adminToken],
});

/** A machine that is fed one command after the other, its invariants checked after each. */
export class Feed {
  readonly machine = new RegistryMachine();
  index = 0;
  atMs = 1_000_000;

  ask(command: Ask): RegistryReply {
    const { replies } = this.apply(command);
    const reply = replies[0];
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }

  apply(command: Ask): ReturnType<RegistryMachine['apply']> {
    this.index += 1;
    const stamped = { ...command, atMs: this.atMs, actor } as RegistryCommand;
    const applied = this.machine.apply(this.index, encodeRegistryCommand(stamped));
    this.machine.checkInvariants();
    return applied;
  }
}

/** A cluster of node `a`, a join secret `hex('b')`, and the given further nodes, all `up`. */
export function cluster(...others: string[]): Feed {
  const feed = new Feed();
  feed.ask(bootstrap());
  feed.ask({ kind: 'putJoinSecret', secret: { sha256: hex('b') } });
  for (const id of others) {
    feed.ask({ kind: 'registerNode', node: registration(id), joinSecret: hex('b') });
    feed.ask({ kind: 'setNodeState', node: id, state: 'up' });
  }
  return feed;
}
