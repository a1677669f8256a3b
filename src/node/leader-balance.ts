/**
 * Spreads the leaderships of this node's groups over the nodes that could take them, and hands all
 * of them away before the node stops. Whom to ask is decided in `routing`.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import { shouldTransfer, transferTarget } from '../routing/leaders.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';
import type { UnfitNodes } from './unfit-nodes.ts';

/** Between two looks at the balance of leaders. */
const balanceMs = 250;
/** An unfit node hands away this many leaderships per look, and each one again after a pause. */
const shedMax = 16;
const shedPauseMs = 2_000;

export class LeaderBalance {
  readonly #context: NodeContext;
  readonly #transferredMs = new Map<GroupId, number>();
  readonly #machine: () => RegistryMachine | undefined;
  readonly #unfit: UnfitNodes;
  #balancedMs = 0;

  constructor(context: NodeContext, machine: () => RegistryMachine | undefined, unfit: UnfitNodes) {
    this.#context = context;
    this.#machine = machine;
    this.#unfit = unfit;
  }

  /** Whether a node is on its way out: it is handed no leadership, and hands over its own. */
  #leaves(node: NodeId): boolean {
    const state = this.#machine()?.node(node)?.state;
    return state === 'draining' || state === 'removed';
  }

  /**
   * Where this node is on its way out: hands the leadership of the group to the ready voter that
   * leads least. False where there is none, or this node stays.
   */
  handOff(replica: Replica): boolean {
    if (!this.#leaves(this.#context.nodeId)) return false;
    const led = this.#ledBy();
    const ready = [...this.#readyToLead(replica)].sort(
      ([left, one], [right, other]) =>
        (led.get(left) ?? 0) - (led.get(right) ?? 0) || one.id - other.id,
    );
    for (const [, { id }] of ready) {
      if (!replica.core.transferLeader(id)) continue;
      this.#context.loop.touch(replica);
      return true;
    }
    return false;
  }

  /** Hands single leaderships to nodes that lead fewer. */
  round(changing: ReadonlySet<GroupId>): void {
    const nowMs = this.#context.clock.nowMs();
    if (nowMs - this.#balancedMs < balanceMs) return;
    this.#balancedMs = nowMs;
    if (this.#unfit.self) {
      this.#shed(changing, nowMs);
      return;
    }
    const leadersOn = this.#ledBy();
    const self = this.#context.nodeId;
    let transferring = 0;
    for (const replica of this.#context.loop.replicas()) {
      const { group } = replica;
      if (!replica.leading || changing.has(group)) continue;
      if (replica.descriptor.conf.votersOutgoing.length > 0) continue;
      const ready = this.#readyToLead(replica);
      const up = new Set([self, ...ready.keys()]);
      const preferred = transferTarget(group, [...up], up, self, leadersOn);
      const next = preferred === undefined ? undefined : ready.get(preferred);
      if (preferred === undefined || next === undefined) continue;
      const sinceTransferMs = nowMs - (this.#transferredMs.get(group) ?? Number.NEGATIVE_INFINITY);
      const { lag } = next;
      const wanted = shouldTransfer({
        self,
        preferred,
        leadersOn,
        lag,
        recentlyActive: true,
        steady: true,
        sinceTransferMs,
        transferring,
      });
      if (!wanted || !replica.core.transferLeader(next.id)) continue;
      this.#transferredMs.set(group, nowMs);
      leadersOn.set(self, (leadersOn.get(self) ?? 1) - 1);
      leadersOn.set(preferred, (leadersOn.get(preferred) ?? 0) + 1);
      transferring++;
      this.#context.loop.touch(replica);
    }
  }

  /** This node had better not lead: whoever may takes over. With nobody better it goes on. */
  #shed(changing: ReadonlySet<GroupId>, nowMs: number): void {
    const leadersOn = this.#ledBy();
    const count = (node: NodeId): number => leadersOn.get(node) ?? 0;
    let handed = 0;
    for (const replica of this.#context.loop.replicas()) {
      const { group } = replica;
      if (!replica.leading || changing.has(group) || handed >= shedMax) continue;
      const lastMs = this.#transferredMs.get(group) ?? Number.NEGATIVE_INFINITY;
      if (nowMs - lastMs < shedPauseMs) continue;
      const [next] = [...this.#readyToLead(replica)].sort(
        ([left], [right]) => count(left) - count(right) || (left < right ? -1 : 1),
      );
      if (next === undefined || !replica.core.transferLeader(next[1].id)) continue;
      this.#transferredMs.set(group, nowMs);
      leadersOn.set(next[0], count(next[0]) + 1);
      handed++;
      this.#context.loop.touch(replica);
    }
  }

  /** Groups led by each node, as far as this node's replicas know. */
  #ledBy(): Map<NodeId, number> {
    const led = new Map<NodeId, number>();
    for (const replica of this.#context.loop.replicas()) {
      const leader = replica.leaderNode;
      if (leader !== undefined) led.set(leader, (led.get(leader) ?? 0) + 1);
    }
    return led;
  }

  /** Nodes whose voter could take over, with its replica id and how far it is behind. */
  #readyToLead(
    replica: Replica,
    unfitToo = false,
  ): Map<NodeId, { readonly id: number; readonly lag: number }> {
    const ready = new Map<NodeId, { id: number; lag: number }>();
    const voters = new Set(replica.descriptor.conf.voters);
    for (const progress of replica.core.status().progress) {
      if (!voters.has(progress.id) || progress.id === replica.id) continue;
      const node = replica.member(progress.id)?.node;
      if (node === undefined || !this.#context.peers.connected(node)) continue;
      if (this.#leaves(node)) continue;
      if (!unfitToo && this.#unfit.why(node) !== undefined) continue;
      if (!progress.recentActive || progress.state !== 'replicate') continue;
      ready.set(node, { id: progress.id, lag: replica.core.lastIndex - progress.match });
    }
    return ready;
  }

  /** Hands every leadership of this node away, before it stops. */
  async handOver(): Promise<void> {
    const { clock, loop } = this.#context;
    const deadlineMs = clock.nowMs() + 3_000;
    while (clock.nowMs() < deadlineMs) {
      let leading = 0;
      for (const replica of loop.replicas()) {
        if (replica.core.role !== 'leader' || replica.descriptor.conf.voters.length < 2) continue;
        leading++;
        const [next] = [
          ...this.#readyToLead(replica).values(),
          ...this.#readyToLead(replica, true).values(),
        ];
        if (next !== undefined && replica.core.transferLeader(next.id)) loop.touch(replica);
      }
      if (leading === 0) return;
      await new Promise<void>(resolve => clock.after(50, resolve));
    }
  }
}
