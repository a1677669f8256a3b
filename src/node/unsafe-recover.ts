/**
 * `tsched cluster unsafe-recover`: makes groups that have lost the majority of their voters for
 * good go on with what one surviving store holds. Offline, on one data directory; it may lose tasks
 * that were acknowledged and forget outcomes. Fences that are given out afterwards are above all
 * that were given before, also by those that are lost: the log gets a higher epoch (ADR 0022).
 *
 * For each group that can have no leader any more without the lost nodes, one survivor is chosen:
 * the voter of the lowest replica id, or the learner of the lowest where no voter is left, so that
 * two survivors never make two groups of one. In the chosen store the whole log becomes committed,
 * and entries behind it remove every other member, one at a time: whoever replays the log comes to
 * the same configuration. In the registry, entries behind those remove the lost nodes, so that they
 * are told to end should they return.
 */
import { encodeShardCommand } from '../model/command.ts';
import { TschedError } from '../model/errors.ts';
import { type GroupId, type NodeId, registryGroup } from '../model/ids.ts';
import { silentLog } from '../ports/log.ts';
import type { GroupImage, Store, StoreImage, StoreOp } from '../ports/store.ts';
import { decodeConfChange, encodeConfChange } from '../raft/codec.ts';
import { allVoters, changeMembership, isJoint, leaveJoint } from '../raft/membership.ts';
import type { ConfChange, ConfOperation, ConfState, Entry } from '../raft/message.ts';
import { encodeRegistryCommand } from '../registry/command.ts';
import { RegistryMachine } from '../registry/machine.ts';
import { createLevelStore } from '../storage/level-store.ts';
import { DataDir } from './data-dir.ts';
import { decodeDescriptor, decodeMembers, type Member } from './descriptor.ts';
import { loadMachine } from './load-machine.ts';

const pageBytes = 4 * 1024 * 1024;
/** The year 2145; a clock that says more leaves room for as many recoveries again. */
const proposedEpochMax = 2 ** 20;

export interface RecoveredGroup {
  /** 0 is the registry. */
  readonly group: GroupId;
  /**
   * `keep`: it has its majority, or nothing was lost. `recover`: goes on with this store alone.
   * `elsewhere`: another survivor is the one to go on with.
   */
  readonly plan: 'keep' | 'recover' | 'elsewhere';
  /** Names of the nodes that vote, those that are lost marked with `!`. */
  readonly voters: readonly string[];
  /** Node to go on with, where one is chosen. */
  readonly survivor?: string | undefined;
}

export interface RecoveryPlan {
  readonly node: string;
  readonly lost: readonly string[];
  readonly groups: readonly RecoveredGroup[];
}

export interface RecoveryOptions {
  readonly dataDir: string;
  /** Names or ids of nodes that will never return. */
  readonly lost: readonly string[];
  /** Without it, nothing is changed. */
  readonly carryOut: boolean;
}

/** A group as the whole log leaves it. */
interface GroupState {
  readonly image: GroupImage;
  readonly replicaId: number;
  readonly conf: ConfState;
  readonly members: ReadonlyMap<number, Member>;
  readonly lastTerm: number;
}

/** Throws `dataDirInUse` where the node runs, `dataDirEmpty`, `unknownNode`, `badRequest`. */
export async function recoverUnsafely(options: RecoveryOptions): Promise<RecoveryPlan> {
  const dir = new DataDir(options.dataDir);
  if (!(await dir.hasStore())) {
    throw new TschedError('dataDirEmpty', `${options.dataDir} holds no store of a node`);
  }
  const store = createLevelStore({ directory: dir.store, log: silentLog });
  let failed: (error: Error) => void = () => undefined;
  const image = await store.open(error => failed(error));
  try {
    const { plan, ops } = await planRecovery(store, image, options.lost, Date.now());
    if (options.carryOut && ops.length > 0) {
      await new Promise<void>((resolve, reject) => {
        failed = reject;
        store.write(ops, resolve);
      });
    }
    return plan;
  } finally {
    await store.close();
  }
}

/** The registry as of the end of its log here. */
async function registryOf(store: Store, image: StoreImage): Promise<RegistryMachine> {
  const group = image.groups.find(one => one.group === registryGroup);
  if (group === undefined) {
    throw new TschedError('badRequest', 'this store holds no replica of the registry');
  }
  const machine = new RegistryMachine();
  await loadMachine(machine, store.readGroup(registryGroup), group.applied);
  for (const entry of entriesOf(store, group)) {
    if (entry.type === 0) machine.apply(entry.index, entry.data);
  }
  return machine;
}

/** The entries behind the applied ones. */
function* entriesOf(store: Store, image: GroupImage): Generator<Entry> {
  let next = image.applied + 1;
  while (next <= image.lastIndex) {
    const page = store.entries(image.group, next, image.lastIndex + 1, pageBytes);
    yield* page;
    next += page.length;
  }
}

/** What is to be done in a store that has just been opened, and the batch that does it. */
export async function planRecovery(
  store: Store,
  image: StoreImage,
  lostNames: readonly string[],
  atMs: number,
): Promise<{ plan: RecoveryPlan; ops: StoreOp[] }> {
  const registry = await registryOf(store, image);
  const { nodeId } = image.header;
  const lost = lostNodes(registry, lostNames, nodeId);
  const nameOf = (id: NodeId): string => registry.node(id)?.name ?? id.slice(-8);
  const groups: RecoveredGroup[] = [];
  const ops: StoreOp[] = [];
  for (const groupImage of image.groups) {
    const state = stateOf(store, groupImage);
    const { group } = groupImage;
    const isLost = (id: number): boolean => lost.has(state.members.get(id)?.node ?? '');
    const voters = allVoters(state.conf).map(id => {
      const name = nameOf(state.members.get(id)?.node ?? '?');
      return isLost(id) ? `${name}!` : name;
    });
    const chosen = survivorOf(state, isLost);
    if (chosen === undefined) groups.push({ group, plan: 'keep', voters });
    else {
      const plan = chosen === state.replicaId ? 'recover' : 'elsewhere';
      const survivor = nameOf(state.members.get(chosen)?.node ?? '?');
      groups.push({ group, plan, voters, survivor });
      if (plan === 'recover') ops.push(...recoveryOps(state, [...lost], atMs));
    }
  }
  return { plan: { node: nameOf(nodeId), lost: [...lost].map(nameOf), groups }, ops };
}

function lostNodes(registry: RegistryMachine, names: readonly string[], self: NodeId): Set<NodeId> {
  const lost = new Set<NodeId>();
  for (const name of names) {
    const node = registry.nodeByName(name) ?? registry.node(name) ?? undefined;
    if (node === undefined) throw new TschedError('unknownNode', `there is no node "${name}"`);
    if (node.id === self) {
      throw new TschedError('badRequest', `${name} is the node of this data directory: not lost`);
    }
    lost.add(node.id);
  }
  return lost;
}

function stateOf(store: Store, image: GroupImage): GroupState {
  const { replicaId, conf: stored, members: known } = decodeDescriptor(image.descriptor);
  const members = new Map(known.map(member => [member.replicaId, member]));
  let conf = stored;
  let lastTerm = image.appliedTerm;
  for (const entry of entriesOf(store, image)) {
    lastTerm = entry.term;
    if (entry.type === 0) continue;
    if (entry.data.length === 0) conf = changed(leaveJoint(conf));
    else {
      const change = decodeConfChange(entry.data);
      conf = changed(changeMembership(conf, change));
      for (const member of decodeMembers(change.context)) members.set(member.replicaId, member);
    }
  }
  return { image, replicaId, conf, members, lastTerm };
}

function changed(outcome: ReturnType<typeof changeMembership>): ConfState {
  if ('conf' in outcome) return outcome.conf;
  throw new TschedError('storageFault', 'the log holds a change of members that cannot be applied');
}

/** The replica to go on with; `undefined` where the group needs none, or cannot be saved. */
function survivorOf(state: GroupState, isLost: (id: number) => boolean): number | undefined {
  const { conf } = state;
  const halves = [conf.voters, conf.votersOutgoing].filter(half => half.length > 0);
  const stuck = halves.some(half => half.filter(id => !isLost(id)).length * 2 <= half.length);
  if (!stuck) return undefined;
  const lowest = (ids: readonly number[]): number | undefined =>
    ids.filter(id => !isLost(id)).sort((left, right) => left - right)[0];
  return lowest(allVoters(conf)) ?? lowest(conf.learners);
}

/**
 * A shard raises its epoch by one at least. Where a second recovery begins from a store that does
 * not know of the first, that would be the same one again: hours since 2026 tell them apart, by a
 * clock that need not be right.
 */
function epochAt(atMs: number): number {
  const hours = Math.floor((atMs - Date.UTC(2026, 0)) / 3_600_000);
  return Math.min(Math.max(0, hours), proposedEpochMax);
}

/** The log with what makes this replica the only member, all of it committed. */
function recoveryOps(state: GroupState, lost: readonly NodeId[], atMs: number): StoreOp[] {
  const { image, replicaId } = state;
  const { group } = image;
  const term = Math.max(image.hard.term, state.lastTerm) + 1;
  const entries: Entry[] = [];
  const add = (type: Entry['type'], data: Uint8Array): void => {
    entries.push({ term, index: image.lastIndex + 1 + entries.length, type, data });
  };
  let { conf } = state;
  if (isJoint(conf)) {
    add(2, new Uint8Array(0));
    conf = changed(leaveJoint(conf));
  }
  for (const operation of loneChanges(conf, replicaId)) {
    const context = new Uint8Array(0);
    const change: ConfChange = { transition: 'auto', changes: [operation], context };
    add(2, encodeConfChange(change));
    conf = changed(changeMembership(conf, change));
  }
  if (group === registryGroup) {
    for (const node of lost) {
      const actor = { name: 'unsafe-recover', tenant: '' };
      add(0, encodeRegistryCommand({ kind: 'setNodeState', node, state: 'removed', atMs, actor }));
    }
  } else {
    const actor = { name: 'unsafe-recover', tenant: '' };
    add(0, encodeShardCommand({ kind: 'recover', epoch: epochAt(atMs), atMs, actor }));
  }
  const commit = image.lastIndex + entries.length;
  return [
    { kind: 'entries', group, entries },
    { kind: 'hard', group, hard: { term, vote: replicaId, commit } },
  ];
}

/** One change after the other, each of one member, until only this one is left. */
function loneChanges(conf: ConfState, replicaId: number): ConfOperation[] {
  const others = [...conf.voters, ...conf.learners].filter(id => id !== replicaId);
  const join: ConfOperation[] = conf.voters.includes(replicaId)
    ? []
    : [{ kind: 'addVoter', id: replicaId }];
  return [...join, ...others.map((id): ConfOperation => ({ kind: 'remove', id }))];
}
