/**
 * The version of the cluster, kept by the registry's leader: raised to the lowest that all nodes
 * read which are not removed, dead ones too, and never lowered. Once it is raised, a node that does
 * not read it is not let in any more.
 *
 * Both hold by one rule, at the leader alone: while the raise is on its way no older node is
 * registered, and while a registration is on its way nothing is raised. So in the log every
 * registration from before the raise has been looked at, and every later one reads it. A leader of
 * a later term has applied all that is in its log before it decides anything. Apply itself judges
 * nothing here: programs of version 1, which know no such rule, would decide otherwise.
 */
import { clusterVersionSetting, readVersionText } from '../model/cluster-version.ts';
import type { NodeId } from '../model/ids.ts';
import type { Log } from '../ports/log.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import { type NodeRegistration, type RegistryReply, refused } from '../registry/state.ts';
import { background } from './context.ts';

interface Registry {
  machine(): RegistryMachine | undefined;
  readonly leading: boolean;
  /** Proposes at this node, and nowhere else. */
  proposeHere(setting: {
    readonly kind: 'setSetting';
    readonly name: string;
    readonly value: string;
  }): Promise<RegistryReply>;
}

const readsOf = (node: NodeRegistration): number => readVersionText(node.version).clusterVersion;

export class ClusterVersion {
  /** Newest version that this program reads. */
  readonly own: number;
  readonly #log: Log;
  readonly #registry: Registry;
  /** Registrations on their way through the log of this leader. */
  #registering = 0;
  /** What is on its way; 0 for nothing. */
  #raising = 0;

  constructor(deps: { readonly own: number; readonly log: Log; readonly registry: Registry }) {
    this.own = deps.own;
    this.#log = deps.log;
    this.#registry = deps.registry;
  }

  /** What every node reads, as far as this one knows: it may be behind, never ahead. */
  current(): number {
    return this.#registry.machine()?.clusterVersion() ?? 1;
  }

  /** Proposes a registration, at the leader, unless the node is too old for this cluster. */
  async admit(
    node: NodeRegistration,
    propose: () => Promise<RegistryReply>,
  ): Promise<RegistryReply> {
    const why = this.#objectionTo(node);
    if (why !== undefined) return refused('programTooOld', why);
    this.#registering += 1;
    try {
      return await propose();
    } finally {
      this.#registering -= 1;
    }
  }

  #objectionTo(node: NodeRegistration): string | undefined {
    const { program, clusterVersion } = readVersionText(node.version);
    const version = Math.max(this.current(), this.#raising);
    if (clusterVersion >= version || this.#isRemoved(node.id)) return undefined;
    return (
      `the cluster is at version ${version}, and the program of ${node.name} (${program}) reads ` +
      `up to ${clusterVersion}: start the program that the other nodes run`
    );
  }

  /** It is told that, not to upgrade. */
  #isRemoved(node: NodeId): boolean {
    return this.#registry.machine()?.node(node)?.state === 'removed';
  }

  /** To be called a few times a second, whoever leads the registry. */
  round(): void {
    const machine = this.#registry.machine();
    if (machine === undefined || !this.#registry.leading) return;
    if (this.#registering > 0 || this.#raising > 0) return;
    const nodes = machine.nodes().filter(node => node.state !== 'removed');
    const version = Math.min(this.own, ...nodes.map(readsOf));
    if (version <= machine.clusterVersion()) return;
    this.#raising = version;
    this.#log.info('raises the cluster version', { version });
    const raised = this.#registry.proposeHere({
      kind: 'setSetting',
      name: clusterVersionSetting,
      value: String(version),
    });
    background(
      { log: this.#log },
      'raise the cluster version',
      raised.finally(() => {
        this.#raising = 0;
      }),
    );
  }
}
