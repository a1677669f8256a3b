/**
 * State machine safety. Every entry that any replica applied is written down once, by group and
 * index; every other replica must apply the same one there. A shadow machine for each group takes
 * the entries one by one and never loses a row or restarts: its digest at every index is what each
 * replica must have there, restarted ones that loaded flushed rows included.
 */
import { decodeShardCommand, type ShardCommand } from '../../../src/model/command.ts';
import { registryGroup, type TaskId } from '../../../src/model/ids.ts';
import { decodeSpec } from '../../../src/model/spec.ts';
import type { Replica } from '../../../src/node/replica.ts';
import type { Entry } from '../../../src/raft/message.ts';
import { RegistryMachine } from '../../../src/registry/machine.ts';
import type { Effect } from '../../../src/shard/effects.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';
import type { SimCluster } from '../cluster.ts';
import type { SimNode } from '../sim-node.ts';
import type { Trace } from '../trace.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';
import { hashEntry } from './hash-entry.ts';

interface Written {
  readonly term: number;
  readonly hash: number;
  /** Digest of the shadow machine after this entry. */
  readonly digest: number;
}

interface Group {
  readonly group: number;
  readonly entries: Written[];
  readonly registry: RegistryMachine | undefined;
  readonly shard: ShardMachine | undefined;
}

/** Told what was committed, once and in order. */
export interface CommittedListener {
  applied(
    group: number,
    command: ShardCommand,
    effects: readonly Effect[],
    machine: ShardMachine,
  ): void;
}

export class CommittedChecker implements Checker {
  readonly #trace: Trace;
  readonly #listeners: CommittedListener[];
  readonly groups = new Map<number, Group>();
  readonly #seen = new WeakMap<Replica, number>();
  committed = 0;
  /** How many items of each kind were committed, outcomes and refusals by name. */
  readonly coverage = new Map<string, number>();

  constructor(trace: Trace, listeners: readonly CommittedListener[]) {
    this.#trace = trace;
    this.#listeners = [...listeners];
  }

  shadow(shard: number): ShardMachine | undefined {
    return this.groups.get(shard)?.shard;
  }

  get registry(): RegistryMachine | undefined {
    return this.groups.get(registryGroup)?.registry;
  }

  afterEvent(node: SimNode): void {
    if (node.node === undefined) return;
    for (const replica of node.node.loop.replicas()) {
      const { applied } = replica;
      const seen = this.#seen.get(replica);
      if (seen === applied) continue;
      this.#seen.set(replica, applied);
      if (seen !== undefined && replica.log.firstIndex() > seen + 1) {
        this.coverage.set('snapshot', (this.coverage.get('snapshot') ?? 0) + 1);
      }
      // Of a replica that was just loaded, the whole stored log is compared.
      this.#compare(node, replica, seen ?? 0, applied);
      this.#compareDigest(node, replica);
    }
  }

  #group(group: number): Group {
    let found = this.groups.get(group);
    if (found === undefined) {
      const isRegistry = group === registryGroup;
      found = {
        group,
        entries: [],
        registry: isRegistry ? new RegistryMachine() : undefined,
        shard: isRegistry ? undefined : new ShardMachine({ shard: group }),
      };
      this.groups.set(group, found);
    }
    return found;
  }

  /** Tells `listener` too of what is committed from now on. */
  listen(listener: CommittedListener): void {
    this.#listeners.push(listener);
  }

  #compare(node: SimNode, replica: Replica, after: number, to: number): void {
    const group = this.#group(replica.group);
    const { log } = replica;
    // What came with a snapshot, or was truncated, some other replica has applied one by one: the
    // digest of the state says whether it is the same.
    let index = Math.max(after + 1, log.firstIndex());
    check(
      index - 1 <= group.entries.length,
      () => `${node.id} group ${group.group}: a state of ${index - 1}, which nobody has applied`,
    );
    while (index <= to) {
      const entries = log.entries(index, to + 1, 1024 * 1024);
      check(
        entries !== 'compacted' && entries.length > 0,
        () => `${node.id} group ${group.group}: no entry ${index}`,
      );
      for (const entry of entries) {
        check(entry.index === index, () => `${node.id}: entry ${entry.index} in place of ${index}`);
        this.#entry(node, group, entry);
        index++;
      }
    }
  }

  #entry(node: SimNode, group: Group, entry: Entry): void {
    const hash = hashEntry(entry);
    const before = group.entries[entry.index - 1];
    if (before !== undefined) {
      check(
        before.term === entry.term && before.hash === hash,
        () =>
          `${node.id} applied another entry ${entry.index} of group ${group.group}: term ` +
          `${entry.term} where term ${before.term} was applied`,
      );
      return;
    }
    const expected = group.entries.length + 1;
    check(entry.index === expected, () => `entry ${entry.index} applied before ${expected}`);
    const last = group.entries[group.entries.length - 1];
    check(
      (last?.term ?? 0) <= entry.term,
      () => `terms of group ${group.group} fall at ${entry.index}`,
    );
    this.#write(node, group, entry, hash);
  }

  #write(node: SimNode, group: Group, entry: Entry, hash: number): void {
    this.committed++;
    this.#trace.mix(`${group.group}.${entry.index}.${hash}`);
    let effects: readonly Effect[] = [];
    if (entry.type === 0 && entry.data.length > 0) {
      if (group.registry !== undefined) group.registry.apply(entry.index, entry.data);
      else if (group.shard !== undefined) {
        ({ effects } = group.shard.apply(entry.index, entry.data));
        const command = decodeShardCommand(entry.data);
        const digest = group.shard.digest();
        group.entries.push({ term: entry.term, hash, digest });
        this.#count(command);
        for (const listener of this.#listeners) {
          listener.applied(group.group, command, effects, group.shard);
        }
        return;
      }
    } else if (entry.type !== 0) {
      this.#trace.note(node.id, `group ${group.group} has a configuration at ${entry.index}`);
    }
    const digest = (group.registry ?? group.shard)?.digest() ?? 0;
    group.entries.push({ term: entry.term, hash, digest });
  }

  #count(command: ShardCommand): void {
    const add = (what: string, count: number): void => {
      this.coverage.set(what, (this.coverage.get(what) ?? 0) + count);
    };
    add(command.kind, 'items' in command ? command.items.length : 1);
    if ('specs' in command) {
      const specs = command.specs.map(({ bytes }) => decodeSpec(bytes));
      add('ordered', command.items.filter(item => specs[item.spec]?.orderKey !== undefined).length);
    }
    if (command.kind === 'finish') for (const item of command.items) add(item.outcome.kind, 1);
    if (command.kind === 'unassign') for (const item of command.items) add(item.why, 1);
  }

  #compareDigest(node: SimNode, replica: Replica): void {
    const group = this.#group(replica.group);
    const { applied, machine } = replica;
    const written = group.entries[applied - 1];
    if (applied === 0 || written === undefined) return;
    check(
      machine.digest() === written.digest,
      () =>
        `${node.id} group ${group.group}: state differs at ${applied} (${machine.digest()}, not ` +
        `${written.digest})`,
    );
    check(
      replica.appliedTerm === written.term,
      () => `${node.id} group ${group.group}: applied term ${replica.appliedTerm} at ${applied}`,
    );
  }

  sweep(): void {
    for (const { shard, registry } of this.groups.values()) {
      shard?.checkInvariants();
      registry?.checkInvariants();
    }
  }

  /** After the healing: every replica has all of it, and its own books balance. */
  final(cluster: SimCluster): void {
    for (const node of cluster.nodes) {
      for (const replica of node.node?.loop.replicas() ?? []) {
        const group = this.#group(replica.group);
        check(
          replica.applied === group.entries.length,
          () => `${node.id} group ${replica.group}: ${replica.applied} of ${group.entries.length}`,
        );
        if (replica.group !== registryGroup) {
          (replica.machine as unknown as ShardMachine).checkInvariants();
        }
      }
    }
    this.sweep();
  }

  /** Every task of the shadows that has not settled. */
  unsettled(): TaskId[] {
    const ids: TaskId[] = [];
    for (const { shard } of this.groups.values())
      if (shard !== undefined) ids.push(...shard.hotIds());
    return ids;
  }
}
