/**
 * A group of cores in one process with storage in memory, for tests. Every step is explicit:
 * `turn` handles one node's Ready, `deliver` hands over what is in flight, `settle` repeats both
 * until nothing is left. Writes can be held back to look at what happens before they are durable.
 */
import { decodeConfChange } from '../../../src/raft/codec.ts';
import type { RaftConfig } from '../../../src/raft/config.ts';
import { RaftCore } from '../../../src/raft/core.ts';
import { EMPTY_CONF, MemoryLog } from '../../../src/raft/memory-log.ts';
import {
  type ConfState,
  type Entry,
  type Message,
  payloadBytes,
  type SnapshotMeta,
} from '../../../src/raft/message.ts';
import type { Persist, Ready } from '../../../src/raft/ready.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function conf(...voters: number[]): ConfState {
  return { ...EMPTY_CONF, voters };
}

/** A small generator of uniform 32-bit integers (xorshift). */
export function rng(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

export function testConfig(
  id: number,
  storage: MemoryLog,
  changes: Partial<RaftConfig> = {},
): RaftConfig {
  return {
    id,
    storage,
    applied: 0,
    rng: rng(id),
    electionTick: 10,
    heartbeatTick: 1,
    maxSizePerMsg: 1 << 20,
    maxInflightMsgs: 256,
    maxInflightBytes: 0,
    maxUncommittedBytes: 1 << 30,
    maxApplyBytes: 1 << 30,
    preVote: true,
    checkQuorum: true,
    stepDownOnRemoval: true,
    commitInVotes: true,
    readOnlyLeaseBased: false,
    applyUnstable: false,
    disableConfChangeValidation: false,
    replaceRefusedConf: false,
    ...changes,
  };
}

/** One replica with its stored log and what it has applied. */
export class TestNode {
  readonly core: RaftCore;
  readonly log: MemoryLog;
  readonly applied: Entry[] = [];
  readonly reads: { ctr: number; index: number }[] = [];
  readonly readsLost: number[] = [];
  conf: ConfState;
  /** Writes that are not durable yet, oldest first, with the promises that wait for them. */
  readonly writing: { persist: Persist; msgs: readonly Message[] }[] = [];

  constructor(id: number, members: ConfState, changes: Partial<RaftConfig> = {}) {
    this.log = new MemoryLog({ conf: members });
    this.conf = members;
    this.core = new RaftCore(testConfig(id, this.log, changes));
  }

  get id(): number {
    return this.core.id;
  }

  /** The oldest write becomes durable; returns the messages that waited for it. */
  complete(): readonly Message[] {
    const { persist, msgs } = this.writing.shift()!;
    if (persist.snapshot !== undefined) this.log.applySnapshot(persist.snapshot);
    this.log.append(persist.entries);
    if (persist.hard !== undefined) this.log.setHard(persist.hard);
    this.core.persisted(persist.token);
    return msgs;
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applied.push(entry);
      if (entry.type !== 0) this.conf = this.core.applyConf(decodeConfChange(entry.data));
    }
    const last = entries.at(-1);
    if (last !== undefined) this.core.appliedTo(last.index, payloadBytes(entries));
  }

  get texts(): string[] {
    return this.applied.filter(entry => entry.type === 0).map(entry => decoder.decode(entry.data));
  }

  /** Offers the applied state as a snapshot and drops the log up to it. */
  compact(): SnapshotMeta {
    const last = this.applied.at(-1)!;
    const meta = { index: last.index, term: last.term, conf: this.conf };
    this.log.offerSnapshot(meta);
    this.log.compact(last.index);
    return meta;
  }
}

export class TestGroup {
  readonly nodes: TestNode[];
  inFlight: Message[] = [];
  /** Every message that was sent, for assertions. */
  readonly sent: Message[] = [];
  /** Links that lose everything, as "from>to". */
  readonly cut = new Set<string>();

  constructor(members: ConfState, changes: Partial<RaftConfig> = {}, count?: number) {
    const ids = count ?? members.voters.length + members.learners.length;
    this.nodes = Array.from({ length: ids }, (_, at) => new TestNode(at + 1, members, changes));
  }

  node(id: number): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  send(messages: readonly Message[]): void {
    this.sent.push(...messages);
    this.inFlight.push(...messages);
  }

  /** Handles one Ready, making its write durable at once unless `hold`. */
  turn(node: TestNode, hold = false): Ready {
    const ready = node.core.ready();
    this.send(ready.msgs);
    if (ready.persist !== undefined) {
      node.writing.push({ persist: ready.persist, msgs: ready.msgsAfterPersist });
    }
    node.reads.push(...ready.reads);
    node.readsLost.push(...ready.readsLost);
    node.apply(ready.committed);
    if (!hold) while (node.writing.length > 0) this.send(node.complete());
    return ready;
  }

  deliver(): void {
    const batch = this.inFlight;
    this.inFlight = [];
    for (const message of batch) {
      if (this.cut.has(`${message.from}>${message.to}`)) continue;
      this.nodes[message.to - 1]?.core.step(message);
    }
  }

  settle(): void {
    for (let round = 0; round < 1000; round++) {
      let quiet = this.inFlight.length === 0;
      for (const node of this.nodes) {
        while (node.core.hasReady() || node.writing.length > 0) {
          quiet = false;
          this.turn(node);
        }
      }
      if (quiet && this.inFlight.length === 0) return;
      this.deliver();
    }
    throw new Error('the group does not settle');
  }

  /** Cuts `id` off from everybody, both ways. */
  isolate(id: number): void {
    for (const node of this.nodes) {
      this.cut.add(`${id}>${node.id}`);
      this.cut.add(`${node.id}>${id}`);
    }
  }

  heal(): void {
    this.cut.clear();
  }

  elect(id: number): TestNode {
    this.node(id).core.campaign();
    this.settle();
    const node = this.node(id);
    if (node.core.role !== 'leader') throw new Error(`${id} did not win`);
    return node;
  }
}
