/**
 * Membership in operation: where replicas should be is a pure function of the registry (`routing`);
 * the leader of each group carries it out through its own log, one configuration change at a time.
 * Stale knowledge can cost a useless move, never safety.
 *
 * - A node without a replica that should have one: it gets a replica id from the registry and is
 *   added as a learner, few at a time (`move-brake.ts`).
 * - All wanted voters have caught up: one joint change promotes them and drops the rest.
 * - The configuration changed: the registry is told.
 */
import { assert } from '../model/assert.ts';
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import { isJoint } from '../raft/membership.ts';
import type { ConfChange, ConfOperation } from '../raft/message.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { RegistryNode } from '../registry/state.ts';
import type { Target } from '../routing/rendezvous.ts';
import { background, type NodeContext } from './context.ts';
import { encodeMembers, type Member } from './descriptor.ts';
import type { LeaderBalance } from './leader-balance.ts';
import type { LeaderDuties } from './leader-duties.ts';
import { caughtUp, groupsToMove, type LedGroup } from './move-brake.ts';
import { NodeWatch } from './node-watch.ts';
import type { OwnStanding } from './own-standing.ts';
import type { RegistryClient } from './registry-client.ts';
import { wasRemoved } from './removed-replica.ts';
import type { Replica } from './replica.ts';
import { targetsOf } from './targets.ts';
import type { UnfitNodes } from './unfit-nodes.ts';

const paceMs = 250;
/** A replica that no leader spoke to for this long asks the registry whether it still exists. */
const forgottenMs = 10_000;

export class Membership {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  /** Groups with a change of this node's under way. */
  readonly #changing = new Set<GroupId>();
  readonly #reporting = new Set<GroupId>();
  #targets: ReadonlyMap<GroupId, Target> = new Map();
  #targetsIndex = -1;
  readonly #balance: LeaderBalance;
  readonly #standing: OwnStanding;
  readonly #watch: NodeWatch;
  readonly #unfitNodes: UnfitNodes;
  readonly #duties: LeaderDuties;
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: {
    readonly context: NodeContext;
    readonly registry: RegistryClient;
    readonly balance: LeaderBalance;
    readonly standing: OwnStanding;
    readonly unfitNodes: UnfitNodes;
    readonly duties: LeaderDuties;
  }) {
    this.#context = options.context;
    this.#registry = options.registry;
    this.#balance = options.balance;
    this.#standing = options.standing;
    this.#watch = new NodeWatch(options.context, options.registry);
    this.#unfitNodes = options.unfitNodes;
    this.#duties = options.duties;
  }

  start(): void {
    const round = (): void => {
      if (this.#stopped) return;
      this.#round();
      const jitter = this.#context.random.uint32() % 50;
      this.#cancel = this.#context.clock.after(paceMs + jitter, round);
    };
    round();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Where the replicas of every group should be, by the registry as it is here. */
  targets(): ReadonlyMap<GroupId, Target> {
    const machine = this.#registry.machine();
    if (machine?.cluster() === undefined) return new Map();
    const index = this.#registry.appliedIndex;
    if (index !== this.#targetsIndex) {
      this.#targets = targetsOf(machine);
      this.#targetsIndex = index;
    }
    return this.#targets;
  }

  #round(): void {
    this.#standing.round();
    const machine = this.#registry.machine();
    if (machine?.cluster() === undefined) return;
    const targets = this.targets();
    for (const node of machine.nodes()) {
      if (node.id === this.#context.nodeId || node.state === 'removed') continue;
      this.#context.peers.connect(node.id, node.addresses);
    }
    this.#watch.round(machine);
    this.#registry.version.round();
    const moving = new Set<GroupId>();
    const begin = this.#toBegin(machine, targets);
    for (const replica of [...this.#context.loop.replicas()]) {
      if (!replica.leading) this.#considerForgotten(replica);
      else {
        this.#report(replica);
        const target = targets.get(replica.group);
        if (this.#balance.handOff(replica)) moving.add(replica.group);
        else if (target !== undefined && this.#move(replica, target, begin.get(replica.group)))
          moving.add(replica.group);
      }
    }
    this.#unfitNodes.round(machine.nodes().map(node => node.id));
    // Who leads a group that is changing is decided by what changes.
    this.#balance.round(moving);
    this.#duties.round();
  }

  /**
   * Nodes that groups led here may be given to now: few at a time. The registry is not held back:
   * every node follows it, and knows nothing without it.
   */
  #toBegin(
    machine: RegistryMachine,
    targets: ReadonlyMap<GroupId, Target>,
  ): ReadonlyMap<GroupId, readonly NodeId[]> {
    const { nodeId, peers, loop } = this.#context;
    const led: LedGroup[] = [];
    let registry: readonly NodeId[] = [];
    for (const replica of loop.replicas()) {
      const target = targets.get(replica.group);
      if (!replica.leading || target === undefined) continue;
      const ready = !this.#isUnreported(replica) && !isJoint(replica.descriptor.conf);
      const missing = ready ? this.#missing(replica, target).map(node => node.id) : [];
      if (replica.group === registryGroup) registry = missing;
      else led.push({ replica, target, missing });
    }
    const reaches = (node: NodeId): boolean => node === nodeId || peers.connected(node);
    return groupsToMove(led, machine, targets, reaches).set(registryGroup, [...registry]);
  }

  #isUnreported({ group, descriptor }: Replica): boolean {
    const known = this.#registry.machine()?.group(group);
    return known === undefined || known.confIndex < descriptor.confIndex;
  }

  /** Tells the registry where the replicas of a group led here are, when it does not know. */
  #report(replica: Replica): void {
    const { group, descriptor } = replica;
    if (!this.#isUnreported(replica) || this.#reporting.has(group)) return;
    const { conf } = descriptor;
    if (conf.votersOutgoing.length > 0) return;
    const seats = (ids: readonly number[]): { replicaId: number; node: NodeId }[] =>
      ids.flatMap(replicaId => {
        const node = replica.member(replicaId)?.node;
        return node === undefined ? [] : [{ replicaId, node }];
      });
    this.#reporting.add(group);
    const report = this.#registry.propose({
      kind: 'reportGroup',
      group,
      confIndex: descriptor.confIndex,
      voters: seats(conf.voters),
      learners: seats(conf.learners),
      leader: this.#context.nodeId,
    });
    background(
      this.#context,
      'report a group',
      report.finally(() => this.#reporting.delete(group)),
    );
  }

  /** Does what is next on the way to the target; false where there is nothing, or only to wait. */
  #move(replica: Replica, target: Target, begin: readonly NodeId[] = []): boolean {
    const { group, core, descriptor } = replica;
    if (this.#changing.has(group)) return true;
    if (isJoint(descriptor.conf)) {
      this.#leaveJoint(replica);
      return true;
    }
    // The target follows from where the registry thinks that replicas are. As long as it does not
    // know of this group's last change, two groups could exchange one seat for ever.
    if (this.#isUnreported(replica)) return true;
    const missing = this.#missing(replica, target).filter(node => begin.includes(node.id));
    if (missing.length > 0) {
      this.#changing.add(group);
      background(
        this.#context,
        'add learners',
        this.#addLearners(replica, missing).finally(() => this.#changing.delete(group)),
      );
      return true;
    }
    const wanted = this.#promotion(replica, target);
    if (wanted.length === 0) return false;
    const leaves = wanted.some(one => one.kind !== 'addVoter' && one.id === replica.id);
    if (leaves && this.#handOver(replica, wanted)) return true;
    // Nobody to lead the rest yet: that comes first, and the removals after it.
    const changes = leaves ? wanted.filter(one => one.kind === 'addVoter') : wanted;
    if (changes.length === 0) return false;
    const change: ConfChange = { transition: 'auto', changes, context: new Uint8Array(0) };
    const result = core.proposeConf(change);
    if (result.ok) {
      this.#context.log.info('changes the members of a group', {
        group,
        changes: changes.map(one => `${one.kind} ${one.id}`).join(', '),
      });
    }
    this.#context.loop.touch(replica);
    return true;
  }

  /**
   * A leader that removes itself leaves its group without one for a whole election timeout: one of
   * the voters that stay takes over first, and makes the change.
   */
  #handOver(replica: Replica, changes: readonly ConfOperation[]): boolean {
    const { core, descriptor } = replica;
    const going = new Set(changes.filter(one => one.kind !== 'addVoter').map(one => one.id));
    for (const id of descriptor.conf.voters) {
      if (going.has(id) || !caughtUp(replica, id)) continue;
      const node = replica.member(id)?.node;
      if (node === undefined || !this.#context.peers.connected(node)) continue;
      if (!core.transferLeader(id)) continue;
      this.#context.loop.touch(replica);
      return true;
    }
    return false;
  }

  /**
   * The core leaves the joint phase by itself, unless leadership was being handed over just then:
   * it tries again at the next applied entry, and a group at rest has none. Refused while it is
   * pending.
   */
  #leaveJoint(replica: Replica): void {
    const leave: ConfChange = { transition: 'auto', changes: [], context: new Uint8Array(0) };
    if (replica.core.proposeConf(leave).ok) this.#context.loop.touch(replica);
  }

  /** Nodes that should hold a replica and have none that lives on their present store. */
  #missing(replica: Replica, target: Target): RegistryNode[] {
    const machine = this.#registry.machine();
    const missing: RegistryNode[] = [];
    for (const nodeId of [...target.voters, ...target.learners]) {
      const node = machine?.node(nodeId);
      if (node === undefined || !this.#context.peers.connected(nodeId)) continue;
      if (this.#memberOn(replica, node) === undefined) missing.push(node);
    }
    return missing;
  }

  #memberOn(replica: Replica, node: RegistryNode): Member | undefined {
    return replica
      .members()
      .find(member => member.node === node.id && member.storeId === node.storeId);
  }

  async #addLearners(replica: Replica, nodes: readonly RegistryNode[]): Promise<void> {
    const { group } = replica;
    const { confIndex } = replica.descriptor;
    const added: Member[] = [];
    for (const node of nodes) {
      const reply = await this.#registry.must({
        kind: 'allocateReplica',
        group,
        node: node.id,
        storeId: node.storeId,
        confIndex,
      });
      assert(reply.replicaId !== undefined, 'an allocated replica has an id');
      added.push({ replicaId: reply.replicaId, node: node.id, storeId: node.storeId });
    }
    // The configuration may have moved on meanwhile: the next round sees it and asks again.
    if (!replica.leading || replica.descriptor.confIndex !== confIndex) return;
    const dead = this.#deadOn(replica, nodes);
    const changes: ConfOperation[] = [
      ...dead.map(id => ({ kind: 'remove' as const, id })),
      ...added.map(member => ({ kind: 'addLearner' as const, id: member.replicaId })),
    ];
    replica.core.proposeConf({ transition: 'auto', changes, context: encodeMembers(added) });
    this.#context.loop.touch(replica);
  }

  /**
   * Learners that these nodes held on a store that is gone. Voters leave in the promotion's step.
   */
  #deadOn(replica: Replica, nodes: readonly RegistryNode[]): number[] {
    const learners = new Set(replica.descriptor.conf.learners);
    return replica
      .members()
      .filter(member => learners.has(member.replicaId))
      .filter(member =>
        nodes.some(node => node.id === member.node && node.storeId !== member.storeId),
      )
      .map(member => member.replicaId);
  }

  /**
   * The one change that makes the configuration what it should be, once every wanted voter has
   * caught up: promotions, and removals of what is not wanted any more. Empty while somebody lags.
   */
  #promotion(replica: Replica, target: Target): ConfOperation[] {
    const { conf } = replica.descriptor;
    const machine = this.#registry.machine();
    const wanted = new Map<number, 'voter' | 'learner'>();
    for (const [nodes, role] of [
      [target.voters, 'voter'],
      [target.learners, 'learner'],
    ] as const) {
      for (const nodeId of nodes) {
        const node = machine?.node(nodeId);
        const member = node === undefined ? undefined : this.#memberOn(replica, node);
        if (member === undefined) {
          // Not there yet. Without a learner one can do; without a voter nothing is dropped.
          if (role === 'voter') return [];
          continue;
        }
        wanted.set(member.replicaId, role);
      }
    }
    const voters = new Set(conf.voters);
    const changes: ConfOperation[] = [];
    for (const [id, role] of wanted) {
      if (role === 'voter' && !voters.has(id)) {
        if (!caughtUp(replica, id)) return [];
        changes.push({ kind: 'addVoter', id });
      } else if (role === 'learner' && voters.has(id)) changes.push({ kind: 'addLearner', id });
    }
    for (const id of [...conf.voters, ...conf.learners]) {
      if (!wanted.has(id)) changes.push({ kind: 'remove', id });
    }
    return changes;
  }

  /**
   * A replica that was removed while it was away never hears of it: the registry knows. Whom it
   * takes for its leader says nothing: a learner holds no elections and believes in the last one
   * for ever.
   */
  #considerForgotten(replica: Replica): void {
    if (this.#context.clock.nowMs() - replica.heardMs < forgottenMs) return;
    if (replica.core.role === 'leader' || replica.group === registryGroup) return;
    const machine = this.#registry.machine();
    if (machine !== undefined && wasRemoved(replica, machine)) {
      this.#context.loop.dropReplica(replica);
    }
  }
}
