/**
 * A randomised cluster of cores: messages are dropped, duplicated and reordered, writes become
 * durable late, replicas crash and lose what was not durable, the network splits, leaders change
 * the membership and cut their logs. Everything that Raft promises is checked as it happens (see
 * `raft-member.ts`). One seed, one run.
 */
import type { ConfChange, ConfOperation, Message } from '../../src/raft/message.ts';
import { bytes, conf, rng } from '../unit/raft/group.ts';
import { Agreement, Member, Violation, type World } from './raft-member.ts';

/** What a run did, so that a test can see that it did something. */
export interface Tally {
  committed: number;
  leaders: number;
  crashes: number;
  snapshots: number;
  confs: number;
  reads: number;
}

export class Cluster implements World {
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
