/**
 * What the registry's leader does about other nodes: it takes in those that join, declares dead
 * those that have been silent for `deadAfter`, within the brakes of `routing/repair.ts`, and takes
 * back those that speak again.
 *
 * How long a node has been silent is measured by this process alone, on its monotonic clock, from
 * when it last heard of it or began to lead, whichever is later: a new leader, and one that stood
 * still itself, declares later, never sooner.
 */
import { type NodeId, registryGroup } from '../model/ids.ts';
import type { RegistryMachine } from '../registry/machine.ts';
import type { RegistryNode } from '../registry/state.ts';
import { nodesToDeclare } from '../routing/repair.ts';
import { background, type NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';

/** Name of the setting; its value is a whole number of milliseconds. */
export const deadAfterSetting = 'deadAfterMs';
const deadAfterMsDefault = 300_000;
export const deadAfterMsMin = 10_000;
/** A node that was heard this lately speaks again. */
const heardLatelyMs = 2_000;
/** Rounds further apart than this: this process stood still, and nobody could be heard. */
const stoodStillMs = 3_000;
const brakeMs = 600_000;

/** How long a node may be silent; what cannot be read is the default. */
export function deadAfterOf(machine: Pick<RegistryMachine, 'setting'>): number {
  const text = machine.setting(deadAfterSetting) ?? '';
  return /^\d{1,12}$/.test(text) ? Math.max(deadAfterMsMin, Number(text)) : deadAfterMsDefault;
}

export class NodeWatch {
  readonly #context: NodeContext;
  readonly #registry: RegistryClient;
  /** Nodes with a change of state on its way. */
  readonly #asking = new Set<NodeId>();
  /** When this leader declared which node dead. */
  #declared: { readonly node: NodeId; readonly atMs: number }[] = [];
  #roundMs = Number.NEGATIVE_INFINITY;
  /** Since when silence counts. */
  #sinceMs = 0;
  #frozen = false;

  constructor(context: NodeContext, registry: RegistryClient) {
    this.#context = context;
    this.#registry = registry;
  }

  /** To be called a few times a second, whoever leads the registry. */
  round(machine: RegistryMachine): void {
    const nowMs = this.#context.clock.nowMs();
    const beforeMs = this.#roundMs;
    this.#roundMs = nowMs;
    if (nowMs - beforeMs > stoodStillMs) this.#sinceMs = nowMs;
    const registry = this.#context.loop.replica(registryGroup);
    if (registry?.leading !== true) {
      this.#sinceMs = nowMs;
      return;
    }
    this.#declared = this.#declared.filter(({ atMs }) => nowMs - atMs < brakeMs);
    for (const node of machine.nodes()) this.#takeIn(node, nowMs);
    this.#declare(machine, nowMs);
  }

  /** A node is up once it is connected; one that was declared dead, once it speaks. */
  #takeIn(node: RegistryNode, nowMs: number): void {
    const { peers } = this.#context;
    if (!peers.connected(node.id)) return;
    const heardMs = peers.heardMs(node.id) ?? Number.NEGATIVE_INFINITY;
    const back = node.state === 'dead' && nowMs - heardMs < heardLatelyMs;
    if (node.state === 'joining' || back) this.#ask(node, 'up');
  }

  #declare(machine: RegistryMachine, nowMs: number): void {
    const verdict = nodesToDeclare({
      nodes: machine
        .nodes()
        .filter(node => node.state !== 'removed')
        .map(node => ({
          id: node.id,
          dead: node.state === 'dead',
          open: node.state === 'up' && node.weight > 0,
          silentMs: this.#silentMs(node.id, nowMs),
        })),
      groups: machine.groups(),
      deadAfterMs: deadAfterOf(machine),
      declaredLately: this.#declaredLately(machine, nowMs),
    });
    if (verdict.frozen && !this.#frozen) {
      this.#context.log.warn('more than a third of the nodes are silent: none is declared dead');
    }
    this.#frozen = verdict.frozen;
    for (const id of verdict.declare) {
      const node = machine.node(id);
      if (node === undefined || this.#asking.has(id)) continue;
      this.#declared.push({ node: id, atMs: nowMs });
      this.#context.log.warn('declares a node dead', { node: node.name });
      this.#ask(node, 'dead');
    }
  }

  #silentMs(node: NodeId, nowMs: number): number {
    const { nodeId, peers, loop } = this.#context;
    if (node === nodeId) return 0;
    const leadingMs = loop.replica(registryGroup)?.leadingSinceMs ?? nowMs;
    return nowMs - Math.max(this.#sinceMs, leadingMs, peers.heardMs(node) ?? 0);
  }

  /** Declarations within the brake's window, those of an earlier leader by the registry's word. */
  #declaredLately(machine: RegistryMachine, nowMs: number): number {
    const mine = new Set(this.#declared.map(({ node }) => node));
    if (nowMs - this.#sinceMs >= brakeMs) return this.#declared.length;
    const others = machine
      .nodes()
      .filter(({ id, state }) => state === 'dead' && !mine.has(id))
      .filter(({ sinceMs }) => machine.nowMs - sinceMs < brakeMs);
    return this.#declared.length + others.length;
  }

  #ask(node: RegistryNode, state: 'up' | 'dead'): void {
    if (this.#asking.has(node.id)) return;
    this.#asking.add(node.id);
    const asked = this.#registry.propose({ kind: 'setNodeState', node: node.id, state });
    background(
      this.#context,
      `a node is ${state}`,
      asked.finally(() => this.#asking.delete(node.id)),
    );
  }
}
