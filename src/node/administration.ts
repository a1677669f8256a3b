/**
 * What an administrator does to nodes, draining one, taking that back, removing it, and to the
 * settings and tiers of the cluster. The registry decides; here names are found and the change is
 * waited for, so that what is answered shows it.
 */
import {
  clusterSettings,
  formatSetting,
  isSettingName,
  parseSetting,
  settingNames,
} from '../model/cluster-settings.ts';
import { TschedError } from '../model/errors.ts';
import type { NodeId } from '../model/ids.ts';
import type { Tier } from '../model/resources.ts';
import { tierFieldName } from '../model/tier-document.ts';
import {
  changeTier,
  disorderOf,
  type TierBundles,
  type TierValues,
  tierBundles,
} from '../model/tiers.ts';
import type { NodeApi, SettingView } from '../ports/node-api.ts';
import type { NodeState } from '../registry/state.ts';
import type { ClusterReads } from './cluster-reads.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import { untilShown } from './until-shown.ts';

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

  settings(): SettingView[] {
    return settingNames.map(name => ({
      name,
      value: formatSetting(name, this.#registry.setting(name)),
      default: formatSetting(name, clusterSettings[name].default),
      meaning: clusterSettings[name].meaning,
    }));
  }

  async changeSettings(...[values, token]: Parameters<NodeApi['changeSettings']>) {
    const wanted = Object.entries(values).map(([name, text]) => checked(name, text));
    for (const { name, value } of wanted) {
      await this.#registry.administer({ kind: 'setSetting', name, value }, token);
    }
    await this.#until(() =>
      wanted.every(({ name, value }) => this.#registry.machine()?.setting(name) === value),
    );
    return this.settings();
  }

  async setTier(...[tier, changes, token]: Parameters<NodeApi['setTier']>): Promise<TierBundles> {
    const registry = this.#registry;
    if (this.#context.clusterVersion() < 3) {
      throw new TschedError('notYet', 'tiers can be changed once every node runs a newer program');
    }
    const valuesOf = (name: Tier): TierValues => registry.machine()?.tier(name) ?? {};
    const wanted = changeTier(valuesOf(tier), changes);
    refuseDisorder(tierBundles(name => (name === tier ? wanted : valuesOf(name))));
    await registry.administer({ kind: 'setTier', tier, changes }, token);
    await this.#until(() => changes.every(({ field, value }) => valuesOf(tier)[field] === value));
    return registry.tiers();
  }

  #shown(node: NodeId, states: readonly NodeState[]): Promise<void> {
    return this.#until(() => {
      const state = this.#registry.machine()?.node(node)?.state;
      return state !== undefined && states.includes(state);
    });
  }

  #until(shows: () => boolean): Promise<void> {
    return untilShown(this.#context.clock, shows);
  }
}

/** Who asks for a higher tier must not get less by it. */
function refuseDisorder(bundles: TierBundles): void {
  const found = disorderOf(bundles);
  const [first] = found;
  if (first === undefined) return;
  const { lower, higher } = first;
  const fields = found.flatMap(one => (one.lower === lower ? [one.field] : []));
  const amounts = fields.filter(field => field !== 'capMsMax').map(tierFieldName);
  const least = amounts.length === 0 ? [] : [`as much ${amounts.join(', ')}`];
  if (fields.includes('capMsMax')) least.push('as long a cap');
  throw new TschedError(
    'badRequest',
    `${higher} has to give at least ${least.join(' and ')} as ${lower}: change the other of them ` +
      'first',
    { field: `/${tierFieldName(first.field)}` },
  );
}

/** A setting and its value, spelled in one way; no value brings the default back. */
function checked(name: string, text: string): { name: string; value: string | undefined } {
  if (!isSettingName(name)) {
    const known = settingNames.join(', ');
    throw new TschedError('badRequest', `there is no setting "${name}": it is one of ${known}`);
  }
  if (text === '') return { name, value: undefined };
  const value = parseSetting(name, text);
  if (typeof value === 'string') throw new TschedError('badRequest', value);
  return { name, value: formatSetting(name, value) };
}
