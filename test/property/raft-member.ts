/**
 * One replica of the randomised cluster, with a disk that can be late and a process that can crash,
 * and the agreement that all replicas have to keep.
 */
import { decodeConfChange } from '../../src/raft/codec.ts';
import { RaftCore } from '../../src/raft/core.ts';
import { MemoryLog } from '../../src/raft/memory-log.ts';
import type { ConfState, Entry, Message, SnapshotMeta } from '../../src/raft/message.ts';
import type { Persist, Ready } from '../../src/raft/ready.ts';
import { testConfig } from '../unit/raft/group.ts';

/** What a member needs of the cluster around it. */
export interface World {
  readonly random: () => number;
  readonly agreement: Agreement;
  readonly tally: { reads: number };
  send(message: Message): void;
}

interface Write {
  readonly persist: Persist;
  readonly msgs: readonly Message[];
}

export class Violation extends Error {
  override readonly name = 'Violation';
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Violation(what);
}

/** What is agreed for good: the entry at every committed index, and the leader of every term. */
export class Agreement {
  readonly entries: Entry[] = [];
  readonly leaders = new Map<number, number>();
  readonly confs: { index: number; conf: ConfState }[];

  constructor(start: ConfState) {
    this.confs = [{ index: 0, conf: start }];
  }

  get committed(): number {
    return this.entries.length;
  }

  confAt(index: number): ConfState {
    return this.confs.findLast(at => at.index <= index)!.conf;
  }

  apply(id: number, entry: Entry): void {
    const known = this.entries[entry.index - 1];
    if (known === undefined) {
      check(entry.index === this.committed + 1, `${id} skipped to ${entry.index}`);
      this.entries.push(entry);
      return;
    }
    const same =
      known.term === entry.term &&
      known.data.length === entry.data.length &&
      known.data.every((byte, at) => byte === entry.data[at]);
    check(same, `${id} applied another entry at ${entry.index}, term ${entry.term}`);
  }

  conf(id: number, index: number, next: ConfState): void {
    const known = this.confs.find(at => at.index === index);
    if (known === undefined) this.confs.push({ index, conf: next });
    else check(sameConf(known.conf, next), `${id} has another membership at ${index}`);
  }
}

function sameConf(a: ConfState, b: ConfState): boolean {
  const text = (c: ConfState) =>
    [c.voters, c.votersOutgoing, c.learners, c.learnersNext, c.autoLeave].join('|');
  return text(a) === text(b);
}

/** A log that offers the state as it is: a snapshot has to know the member that it is sent to. */
class LiveLog extends MemoryLog {
  newest: () => SnapshotMeta | 'unavailable' = () => 'unavailable';

  override snapshotMeta(): SnapshotMeta | 'unavailable' {
    return this.newest();
  }
}

export class Member {
  readonly id: number;
  readonly #world: World;
  core: RaftCore;
  log: LiveLog;
  writing: Write[] = [];
  applied = 0;
  /** Reads under way: what was agreed on when they began. */
  readonly reads = new Map<number, number>();

  constructor(id: number, world: World, start: ConfState) {
    this.id = id;
    this.#world = world;
    this.log = new LiveLog({ conf: start });
    this.core = this.#start();
  }

  #start(): RaftCore {
    this.log.newest = () => this.#snapshot();
    return new RaftCore(
      testConfig(this.id, this.log, {
        rng: this.#world.random,
        applied: this.applied,
        maxInflightMsgs: 4,
        maxSizePerMsg: 60,
        maxApplyBytes: 100,
      }),
    );
  }

  /** The log as a new leader holds it: what is stored, and what is being written. */
  #fullLog(): Map<number, number> {
    const terms = new Map<number, number>();
    const put = (entries: readonly Entry[]) => {
      const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
      for (const index of terms.keys()) if (index >= first) terms.delete(index);
      for (const entry of entries) terms.set(entry.index, entry.term);
    };
    const stored = this.log.entries(
      this.log.firstIndex(),
      this.log.lastIndex() + 1,
      Number.POSITIVE_INFINITY,
    );
    if (stored !== 'compacted') put(stored);
    for (const { persist } of this.writing) put(persist.entries);
    return terms;
  }

  #elected(): void {
    const { agreement } = this.#world;
    const { term } = this.core;
    const other = agreement.leaders.get(term);
    check(other === undefined || other === this.id, `${other} and ${this.id} lead term ${term}`);
    if (other !== undefined) return;
    agreement.leaders.set(term, this.id);
    const terms = this.#fullLog();
    for (let index = this.log.firstIndex(); index <= agreement.committed; index++) {
      const agreed = agreement.entries[index - 1]!.term;
      check(terms.get(index) === agreed, `leader ${this.id} of ${term} lacks entry ${index}`);
    }
  }

  turn(): void {
    if (!this.core.hasReady()) return;
    const ready = this.core.ready();
    if (ready.persist !== undefined) {
      this.writing.push({ persist: ready.persist, msgs: ready.msgsAfterPersist });
    }
    if (ready.soft?.state === 'leader' || this.core.role === 'leader') this.#elected();
    for (const message of ready.msgs) this.#world.send(message);
    this.#finishReads(ready);
    this.#apply(ready.committed);
  }

  #finishReads(ready: Ready): void {
    for (const { ctr, index } of ready.reads) {
      const agreed = this.reads.get(ctr);
      check(agreed !== undefined, `${this.id} confirmed read ${ctr} twice, or never began it`);
      check(index >= agreed!, `stale read at ${this.id}: ${index}, agreed ${agreed}`);
      this.reads.delete(ctr);
      this.#world.tally.reads++;
    }
    for (const ctr of ready.readsLost) {
      check(this.reads.delete(ctr), `${this.id} lost read ${ctr} that it did not hold`);
    }
  }

  #apply(entries: readonly Entry[]): void {
    let size = 0;
    for (const entry of entries) {
      check(entry.index === this.applied + 1, `${this.id} applied ${entry.index} out of order`);
      check(entry.index <= this.log.lastIndex(), `${this.id} applied ${entry.index} undurably`);
      this.#world.agreement.apply(this.id, entry);
      this.applied = entry.index;
      size += entry.data.length;
      if (entry.type === 0) continue;
      const next = this.core.applyConf(decodeConfChange(entry.data));
      this.#world.agreement.conf(this.id, entry.index, next);
    }
    if (entries.length > 0) this.core.appliedTo(this.applied, size);
  }

  /** Stores one write without telling anybody. */
  #store({ persist }: Write): void {
    if (persist.snapshot !== undefined) {
      this.log.applySnapshot(persist.snapshot);
      this.applied = persist.snapshot.index;
    }
    this.log.append(persist.entries);
    if (persist.hard === undefined) return;
    const before = this.log.hard;
    check(persist.hard.term >= before.term, `${this.id}: stored term falls`);
    const sameTerm = persist.hard.term === before.term;
    const revoted = sameTerm && before.vote !== 0 && before.vote !== persist.hard.vote;
    check(!revoted, `${this.id} voted twice in term ${before.term}`);
    this.log.setHard(persist.hard);
  }

  complete(): void {
    const write = this.writing.shift();
    if (write === undefined) return;
    this.#store(write);
    this.core.persisted(write.persist.token);
    for (const message of write.msgs) {
      this.#checkPromise(message);
      this.#world.send(message);
    }
  }

  /**
   * What is promised must be on the disk at this instant. A promise of an earlier term than the
   * disk's may be overtaken: a leader of the later term has replaced the entries, so it was elected
   * without them, and the leader of the earlier term cannot have a majority for them.
   */
  #checkPromise(message: Message): void {
    const { hard } = this.log;
    if (message.type === 'MsgAppResp' && !message.reject && hard.term === message.term) {
      check(message.index <= this.log.lastIndex(), `${this.id} acknowledged ${message.index}`);
    }
    if (message.type === 'MsgVoteResp' && !message.reject) {
      const kept = hard.term > message.term || hard.vote === message.to;
      check(kept, `${this.id} promised a vote it has not stored`);
    }
  }

  /** Loses memory and unfinished writes, but for the first `finished` of them. */
  crash(finished: number): void {
    for (const write of this.writing.slice(0, finished)) this.#store(write);
    this.writing = [];
    this.reads.clear();
    const { hard } = this.log;
    const first = this.log.firstIndex();
    // The state on the disk may be behind what was applied, but not behind the log's start.
    const newest = Math.min(this.applied, Math.max(hard.commit, first - 1));
    this.applied = first - 1 + (this.#world.random() % (newest - first + 2));
    const entries = this.log.entries(first, this.log.lastIndex() + 1, Number.POSITIVE_INFINITY);
    const term = this.log.term(first - 1);
    this.log = new LiveLog({
      hard,
      conf: this.#world.agreement.confAt(this.applied),
      truncated: { index: first - 1, term: typeof term === 'number' ? term : 0 },
      entries: entries === 'compacted' ? [] : entries,
    });
    this.core = this.#start();
  }

  #snapshot(): SnapshotMeta | 'unavailable' {
    const index = this.applied;
    const term = this.log.term(index);
    if (index === 0 || typeof term !== 'number') return 'unavailable';
    return { index, term, conf: this.#world.agreement.confAt(index) };
  }

  compact(): void {
    const { commit } = this.log.hard;
    if (this.applied >= this.log.firstIndex() && this.applied <= commit) {
      this.log.compact(this.applied);
    }
  }

  read(): void {
    const result = this.core.readIndex();
    if (result.ok) this.reads.set(result.ctr, this.#world.agreement.committed);
  }
}
