/**
 * Lets a shard adopt the rules of the newest cluster version that this program knows and every node
 * of the cluster reads. Whoever leads the shard looks for it now and then; adopting twice is
 * harmless.
 */
import type { ItemReply } from '../model/command.ts';
import { newestRules } from '../shard/rules.ts';

export class RulesAdoption {
  readonly #machine: { readonly rules: number };
  readonly #clusterVersion: () => number;
  readonly #propose: (rules: number) => Promise<readonly ItemReply[]>;
  #asking = false;

  constructor(deps: {
    readonly machine: { readonly rules: number };
    readonly clusterVersion: () => number;
    readonly propose: (rules: number) => Promise<readonly ItemReply[]>;
  }) {
    this.#machine = deps.machine;
    this.#clusterVersion = deps.clusterVersion;
    this.#propose = deps.propose;
  }

  /** To be called now and then by the leader; what it gives fails where the proposal does. */
  async round(): Promise<void> {
    const version = this.#clusterVersion();
    if (this.#asking || version < newestRules || this.#machine.rules >= newestRules) return;
    this.#asking = true;
    try {
      await this.#propose(newestRules);
    } finally {
      this.#asking = false;
    }
  }
}
