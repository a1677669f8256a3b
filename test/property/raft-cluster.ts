/**
 * A randomised cluster of cores: messages are dropped, duplicated and reordered, writes become
 * durable late, replicas crash and lose what was not durable, leaders change the membership and cut
 * their logs. Everything that Raft promises is checked after every step. One seed, one run.
 */
import { decodeConfChange } from '../../src/raft/codec.ts';
import { RaftCore } from '../../src/raft/core.ts';
import { MemoryLog } from '../../src/raft/memory-log.ts';
import type {
  ConfChange,
  ConfOperation,
  ConfState,
  Entry,
  Message,
  SnapshotMeta,
} from '../../src/raft/message.ts';
import type { Persist, Ready } from '../../src/raft/ready.ts';
import { bytes, conf, rng, testConfig } from '../unit/raft/group.ts';

interface Write {
  readonly persist: Persist;
  readonly msgs: readonly Message[];
}

class Violation extends Error {
  override readonly name = 'Violation';
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Violation(what);
}

/** What is agreed for good: the entry at every committed index, and the leader of every term. */
class Agreement {
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

class Member {
  readonly id: number;
  readonly #world: Cluster;
  core: RaftCore;
  log: LiveLog;
  writing: Write[] = [];
  applied = 0;
  /** Reads under way: what was agreed on when they began. */
  readonly reads = new Map<number, number>();

  constructor(id: number, world: Cluster, start: ConfState) {
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
   * What is promised must be on the disk at this instant. A promise of an earlier term than the disk's
   * may be overtaken: a leader of the later term has replaced the entries, so it was elected without
   * them, and the leader of the earlier term cannot have a majority for them.
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

/** What a run did, so that a test can see that it did something. */
export interface Tally {
  committed: number;
  leaders: number;
  crashes: number;
  snapshots: number;
  confs: number;
  reads: number;
}

export class Cluster {
  readonly random: () => number;
  readonly agreement: Agreement;
  readonly members: Member[];
  readonly tally: Tally = {
    ...{ committed: 0, leaders: 0, crashes: 0, snapshots: 0, confs: 0, reads: 0 },
  };
  #network: Message[] = [];
  #next = 0;
  #faults = true;
  /** Percent of all messages, and of appends on top of it, that get lost. */
  readonly #drop: number;
  readonly #dropAppends: number;
  /** Bit i: the side of member i + 1. */
  #side = 0;
  readonly #events: readonly { weight: number; act: (member: Member) => void }[];
  readonly #weights: number;

  constructor(seed: number) {
    this.random = rng(seed + 1);
    for (let warm = 0; warm < 16; warm++) this.random();
    const voters = this.#pick([1, 2, 3, 3, 3, 5]);
    const start = conf(...Array.from({ length: voters }, (_, at) => at + 1));
    this.agreement = new Agreement(start);
    this.#drop = this.#pick([0, 5, 20]);
    this.#dropAppends = this.#pick([0, 0, 20, 60]);
    this.#events = this.#drawEvents();
    this.#weights = this.#events.reduce((total, { weight }) => total + weight, 0);
    this.members = Array.from({ length: 5 }, (_, at) => new Member(at + 1, this, start));
  }

  #chance(percent: number): boolean {
    return this.random() % 100 < percent;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.random() % choices.length]!;
  }

  send(message: Message): void {
    if (message.type === 'MsgSnap') this.tally.snapshots++;
    if (!this.#faults) {
      this.#network.push(message);
      return;
    }
    const side = (id: number) => (this.#side >> (id - 1)) & 1;
    if (side(message.from) !== side(message.to) || this.#chance(this.#drop)) return;
    if (message.type === 'MsgApp' && this.#chance(this.#dropAppends)) return;
    // A bounded network: what does not fit is lost.
    if (this.#network.length > 100) return;
    this.#network.push(message);
    if (this.#chance(3)) this.#network.push(message);
  }

  #deliver(): void {
    if (this.#network.length === 0) return;
    const at = this.#faults && this.#chance(30) ? this.random() % this.#network.length : 0;
    const [message] = this.#network.splice(at, 1);
    const target = this.members[message!.to - 1];
    if (target === undefined) return;
    target.core.step(message!);
    if (message!.type !== 'MsgSnap' || !this.#chance(50)) return;
    this.members[message!.from - 1]!.core.reportSnapshot(message!.to, this.#chance(50));
  }

  /** The transport's duty: whoever sent a snapshot hears what became of it. */
  #giveUpSnapshots({ core }: Member): void {
    for (const peer of core.status().progress) {
      if (peer.state === 'snapshot') core.reportSnapshot(peer.id, false);
    }
  }

  #changeMembership(member: Member): void {
    if (member.core.role !== 'leader' || !member.core.committedInTerm) return;
    const kinds = ['addVoter', 'addVoter', 'addLearner', 'remove'] as const;
    const changes: ConfOperation[] = Array.from({ length: this.#pick([1, 1, 2, 3]) }, () => ({
      kind: this.#pick(kinds),
      id: this.#pick([1, 2, 3, 4, 5]),
    }));
    const joint = member.core.conf.votersOutgoing.length > 0;
    const transition = joint ? 'auto' : this.#pick(['auto', 'implicit', 'explicit'] as const);
    const context = new Uint8Array(0);
    const change: ConfChange = { transition, changes: joint ? [] : changes, context };
    if (member.core.proposeConf(change).ok) this.tally.confs++;
  }

  /** The kinds of events; each seed draws how often each one comes. */
  #drawEvents(): { weight: number; act: (member: Member) => void }[] {
    const anybody = () => this.#pick([1, 2, 3, 4, 5]);
    const rare = () => this.#pick([0, 1, 1, 4, 16]);
    const often = () => this.#pick([100, 200, 400]);
    return [
      { weight: 400, act: () => this.#deliver() },
      { weight: 300, act: () => this.#busy(({ core }) => core.hasReady())?.turn() },
      { weight: often(), act: () => this.#busy(({ writing }) => writing.length > 0)?.complete() },
      { weight: this.#pick([40, 100, 200]), act: member => member.core.tick() },
      { weight: this.#pick([10, 30, 100]), act: member => this.#propose(member) },
      { weight: this.#pick([5, 15, 60]), act: member => member.read() },
      { weight: rare(), act: () => this.#partition() },
      { weight: rare(), act: member => member.core.transferLeader(anybody()) },
      { weight: rare(), act: member => member.compact() },
      { weight: rare(), act: member => member.core.forgetLeader() },
      { weight: this.#pick([0, 1, 4, 16, 60]), act: member => member.core.campaign() },
      { weight: rare(), act: member => member.core.reportUnreachable(anybody()) },
      { weight: rare() + 1, act: member => this.#giveUpSnapshots(member) },
      { weight: rare(), act: member => this.#changeMembership(member) },
      { weight: rare(), act: member => this.#crash(member) },
    ];
  }

  /** A random member for which there is something to do. */
  #busy(able: (member: Member) => boolean): Member | undefined {
    const start = this.random() % this.members.length;
    const order = [...this.members.slice(start), ...this.members.slice(0, start)];
    return order.find(able);
  }

  #propose({ core }: Member): void {
    if (core.lastIndex < core.committed + 20) core.propose([bytes(`${this.#next++}`), bytes('x')]);
  }

  #crash(member: Member): void {
    this.tally.crashes++;
    member.crash(this.random() % (member.writing.length + 1));
  }

  /** Splits the members into two groups that do not hear each other, or joins them again. */
  #partition(): void {
    this.#side = this.#chance(40) ? 0 : this.random() % 32;
  }

  /** One random event. */
  step(): void {
    let dice = this.random() % this.#weights;
    for (const { weight, act } of this.#events) {
      dice -= weight;
      if (dice >= 0) continue;
      act(this.#pick(this.members));
      return;
    }
  }

  /** The faults end: a new command has to be committed and applied by all who are members. */
  heal(): void {
    this.#faults = false;
    for (let round = 0; round < 400; round++) {
      for (const member of this.members) {
        member.core.tick();
        if (round % 20 === 10) this.#giveUpSnapshots(member);
        while (member.core.hasReady()) member.turn();
        while (member.writing.length > 0) member.complete();
      }
      for (let left = this.#network.length; left > 0; left--) this.#deliver();
      const leader = this.members.find(
        ({ core }) => core.role === 'leader' && core.committedInTerm,
      );
      if (leader === undefined) continue;
      if (round % 20 === 0) leader.core.propose([bytes('healed')]);
      const { conf: now } = leader.core;
      const ids = [...now.voters, ...now.votersOutgoing, ...now.learners];
      const done = ids.every(id => this.members[id - 1]!.applied === this.agreement.committed);
      const healed = this.agreement.entries.at(-1)?.data.length === 6;
      if (done && healed && leader.core.lastIndex === this.agreement.committed) return;
    }
    throw new Violation('no progress after the faults ended');
  }

  run(steps: number): Tally {
    for (let step = 0; step < steps; step++) this.step();
    this.heal();
    this.tally.committed = this.agreement.committed;
    this.tally.leaders = this.agreement.leaders.size;
    return this.tally;
  }
}
