/** What a node does at intervals for every shard that it leads. */
import type { Store } from '../ports/store.ts';
import type { NodeContext } from './context.ts';
import { Expiry } from './expiry.ts';
import { historyRulesOf } from './history-rules.ts';
import type { RegistryClient } from './registry-client.ts';
import type { ShardLeader } from './shard-leader.ts';
import { StartBounds } from './start-bounds.ts';

export class LeaderDuties {
  readonly expiry: Expiry;
  readonly bounds: StartBounds;

  constructor(
    context: NodeContext,
    store: Store,
    registry: RegistryClient,
    scheduler: { leaders(): Iterable<ShardLeader> },
  ) {
    const leaders = (): Iterable<ShardLeader> => scheduler.leaders();
    this.expiry = new Expiry({ context, store, leaders, rules: () => historyRulesOf(registry) });
    this.bounds = new StartBounds(context, leaders);
  }

  /** To be called a few times a second. */
  round(): void {
    this.expiry.round();
    this.bounds.round();
  }

  stop(): void {
    this.expiry.stop();
    this.bounds.stop();
  }
}
