/**
 * Lets a shard adopt the rules of the newest cluster version that this program knows and every node
 * of the cluster reads. Whoever leads the shard looks for it now and then; adopting twice is
 * harmless.
 */
import type { ItemReply } from '../model/command.ts';
import { newestRules } from '../shard/rules.ts';
import type { NodeContext } from './context.ts';

export class RulesAdoption {
  readonly #machine: { readonly rules: number };
  readonly #context: Pick<NodeContext, 'clusterVersion'>;
  readonly #propose: (rules: number) => Promise<readonly ItemReply[]>;
  #asking = false;

  constructor(
    machine: { readonly rules: number },
    context: Pick<NodeContext, 'clusterVersion'>,
    propose: (rules: number) => Promise<readonly ItemReply[]>,
  ) {
    this.#machine = machine;
    this.#context = context;
    this.#propose = propose;
  }

  /** To be called now and then by the leader; what it gives fails where the proposal does. */
  async round(): Promise<void> {
    const version = this.#context.clusterVersion();
    if (this.#asking || version < newestRules || this.#machine.rules >= newestRules) return;
    this.#asking = true;
    try {
      await this.#propose(newestRules);
    } finally {
      this.#asking = false;
    }
  }
}
