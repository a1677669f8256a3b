/**
 * What an administrator does to nodes: draining one, taking that back, removing it. The registry
 * decides; here names are found and the change is waited for, so that what is answered shows it.
 */
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { NodeState } from '../registry/state.ts';
import type { ClusterReads } from './cluster-reads.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';

/** This node's copy of the registry shows a change within this, as a rule. */
const shownMs = 2_000;
const lookMs = 20;

export class Administration {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  readonly #cluster: ClusterReads;

  constructor(deps: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly cluster: ClusterReads;
  }) {
    this.#context = deps.context;
    this.#registry = deps.registry;
    this.#cluster = deps.cluster;
  }

  async drain(...[idOrName, options, token]: Parameters<NodeApi['drainNode']>) {
    const { id } = this.#cluster.find(idOrName);
    await this.#registry.administer({ kind: 'drainNode', node: id, ...options }, token);
    await this.#shown(id, options.on ? ['draining'] : ['up', 'joining']);
    return this.#cluster.node(id);
  }

  async remove(...[idOrName, options, token]: Parameters<NodeApi['removeNode']>) {
    const { id, name } = this.#cluster.find(idOrName);
    const before = await this.#cluster.node(id);
    if (before.state === 'draining' && before.drain?.drained === false && !options.force) {
      const left = before.drain.attemptsLeft ?? 0;
      // What the registry knows nothing of: attempts. It refuses where replicas are left.
      if (left > 0 && before.drain.replicasLeft === 0) {
        throw new TschedError(
          'notDrained',
          `node ${name} still runs ${left} attempt${left === 1 ? '' : 's'}: wait, drain it with a ` +
            '--deadline, or say --force',
        );
      }
    }
    await this.#registry.administer({ kind: 'removeNode', node: id, ...options }, token);
    await this.#shown(id, ['removed']);
    return this.#cluster.node(id);
  }

  async #shown(node: NodeId, states: readonly NodeState[]): Promise<void> {
    const { clock } = this.#context;
    const deadlineMs = clock.nowMs() + shownMs;
    while (clock.nowMs() < deadlineMs) {
      const state = this.#registry.machine()?.node(node)?.state;
      if (state !== undefined && states.includes(state)) return;
      await new Promise<void>(resolve => clock.after(lookMs, resolve));
    }
  }
}
