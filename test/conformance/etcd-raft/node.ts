/**
 * One replica of a transcript: a core, a log in memory, work queued for the two storage threads,
 * and an "appender" state machine whose history of snapshots is what it offers to followers.
 */
import { decodeConfChange } from '../../../src/raft/codec.ts';
import type { RaftConfig } from '../../../src/raft/config.ts';
import { RaftCore } from '../../../src/raft/core.ts';
import { EMPTY_CONF, MemoryLog } from '../../../src/raft/memory-log.ts';
import {
  type ConfState,
  type Entry,
  type HardState,
  type Index,
  type Message,
  payloadBytes,
  type SnapshotMeta,
} from '../../../src/raft/message.ts';
import type { Persist, PersistToken } from '../../../src/raft/ready.ts';
import type { Described } from './describe.ts';

/** The log of a node whose newest applied state is always there as a snapshot. */
class HistoryLog extends MemoryLog {
  readonly history: SnapshotMeta[] = [];

  override snapshotMeta(): SnapshotMeta | 'unavailable' {
    return this.history.at(-1) ?? 'unavailable';
  }
}

/** Something in flight: a message between replicas, or an answer of a storage thread. */
export interface InFlight {
  readonly to: number;
  readonly local: boolean;
  readonly shown: Described;
  readonly message?: Message | undefined;
  /** What delivery does if it is no message between cores. */
  readonly take?: (() => void) | undefined;
}

/** Work of a storage thread, and what it answers. */
export interface ThreadWork {
  readonly shown: Described;
  readonly perform: () => void;
  readonly responses: readonly InFlight[];
}

export type CoreOptions = Omit<RaftConfig, 'id' | 'storage' | 'applied' | 'rng'>;

export function shownMessage(message: Message): Described {
  return { ...message, from: String(message.from), to: String(message.to) };
}

export class TranscriptNode {
  readonly id: number;
  readonly async: boolean;
  readonly log: HistoryLog;
  readonly #options: CoreOptions;
  core: RaftCore;
  hard: HardState;
  appendWork: ThreadWork[] = [];
  applyWork: ThreadWork[] = [];
  /** Proposals on their way to the leader. The core has no forwarding: that is a router's work. */
  forwarding: InFlight[] = [];
  /** Receipts in order; a durable one waits for the delivery of the answers before it. */
  #receipts: { token: PersistToken; delivered: boolean }[] = [];
  #applied: Index;

  constructor(id: number, options: CoreOptions, async: boolean, start: SnapshotMeta | undefined) {
    this.id = id;
    this.async = async;
    this.#options = options;
    this.log = new HistoryLog();
    if (start !== undefined) this.log.applySnapshot(start);
    this.log.history.push(start ?? { index: 0, term: 0, conf: EMPTY_CONF });
    this.#applied = start?.index ?? 0;
    this.core = this.#start();
    this.hard = this.core.status().hard;
  }

  #start(): RaftCore {
    const seed = { value: this.id };
    return new RaftCore({
      ...this.#options,
      id: this.id,
      storage: this.log,
      applied: this.#applied,
      rng: () => {
        seed.value = (Math.imul(seed.value, 1664525) + 1013904223) >>> 0;
        return seed.value;
      },
    });
  }

  /** Loses everything that is not stored, and starts again. */
  crash(): void {
    this.appendWork = [];
    this.applyWork = [];
    this.forwarding = [];
    this.#receipts = [];
    this.core = this.#start();
    this.hard = this.core.status().hard;
  }

  hasReady(): boolean {
    return this.forwarding.length > 0 || this.core.hasReady();
  }

  /** Whether a write must be flushed before its promises: not for a commit index alone. */
  noteHard(persist: Persist | undefined): boolean {
    const before = this.hard;
    const hard = persist?.hard ?? before;
    this.hard = hard;
    const entries = persist?.entries.length ?? 0;
    const mustSync = entries > 0 || hard.term !== before.term || hard.vote !== before.vote;
    const told = persist?.mustSync ?? false;
    // Ours counts a snapshot in, etcd's does not.
    if (told !== mustSync && persist?.snapshot === undefined) throw new Error('mustSync differs');
    return mustSync;
  }

  store(persist: Persist): void {
    if (persist.hard !== undefined) this.log.setHard(persist.hard);
    if (persist.snapshot !== undefined) {
      this.log.applySnapshot(persist.snapshot);
      this.#applied = persist.snapshot.index;
    }
    this.log.append(persist.entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const newest = this.log.history.at(-1)!;
      let { conf }: { conf: ConfState } = newest;
      if (entry.type !== 0) conf = this.core.applyConf(decodeConfChange(entry.data));
      this.log.history.push({ index: entry.index, term: entry.term, conf });
      this.#applied = entry.index;
    }
  }

  reportApplied(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last !== undefined) this.core.appliedTo(last.index, payloadBytes(entries));
  }

  /** The write is done; its receipt counts once the answers to us are delivered. */
  queueReceipt(token: PersistToken): () => void {
    const receipt = { token, delivered: false };
    this.#receipts.push(receipt);
    return () => {
      receipt.delivered = true;
      while (this.#receipts[0] !== undefined) {
        // Receipts without an answer to us go with the next one that has.
        if (this.#receipts[0] === receipt) {
          this.#receipts.shift();
          this.core.persisted(token);
          return;
        }
        this.core.persisted(this.#receipts.shift()!.token);
      }
    };
  }
}

/** The work item that stores `persist`, with the answers that are due when it is done. */
export function appendWork(
  node: TranscriptNode,
  persist: Persist,
  after: readonly Message[],
): ThreadWork {
  const { hard, entries, snapshot, token } = persist;
  const own = String(node.id);
  const responses: InFlight[] = token.responses.map(message => {
    const local = message.to === node.id;
    return { to: message.to, local, shown: shownMessage(message), message };
  });
  if (after.some(message => !token.responses.includes(message))) {
    throw new Error('a promise is missing from its receipt');
  }
  if (token.index > 0 || token.snapshotIndex > 0) {
    const { term, logTerm, index } = token;
    const type = 'MsgStorageAppendResp';
    const shown = { from: 'AppendThread', to: own, type, term, logTerm, index, snapshot };
    responses.push({ to: node.id, local: true, shown });
  }
  const receive = node.queueReceipt(token);
  // The core takes in all answers to itself at once: with the last of them.
  const last = responses.findLastIndex(response => response.local);
  const finished = responses.map((response, at) =>
    at === last ? { ...response, take: receive } : response,
  );
  const shown = {
    ...{ from: own, to: 'AppendThread', type: 'MsgStorageAppend', logTerm: 0, index: 0 },
    ...{ term: hard?.term ?? 0, vote: hard?.vote ?? 0, commit: hard?.commit ?? 0 },
    ...{ entries, snapshot },
    responses: finished.map(response => response.shown),
  };
  return { shown, perform: () => node.store(persist), responses: finished };
}

/** The work item that applies `entries`. */
export function applyWork(node: TranscriptNode, entries: readonly Entry[]): ThreadWork {
  const own = String(node.id);
  const at = { term: 0, logTerm: 0, index: 0, entries };
  const answer = { from: 'ApplyThread', to: own, type: 'MsgStorageApplyResp', ...at };
  const take = () => node.reportApplied(entries);
  const response: InFlight = { to: node.id, local: true, shown: answer, take };
  const shown = { from: own, to: 'ApplyThread', type: 'MsgStorageApply', ...at };
  return {
    shown: { ...shown, responses: [answer] },
    perform: () => node.apply(entries),
    responses: [response],
  };
}
