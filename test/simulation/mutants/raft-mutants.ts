/** Bugs of the consensus core; most are known from other implementations. */
import type { Mutant } from './mutant.ts';

const election = 'src/raft/election.ts';
const follower = 'src/raft/follower.ts';
const replication = 'src/raft/replication.ts';
const log = 'src/raft/raft-log.ts';

/** Leaders change all the time, and the newest entries are often on one disk only. */
const unrest = {
  nodes: 3,
  shards: 2,
  skewedClocks: false,
  growUnderLoad: false,
  faults: ['crash', 'partition', 'transfer', 'oneWay', 'pause'],
  faultEveryMs: 400,
  requestEveryMs: 20,
  longFaults: false,
  events: 5_000,
} as const;

/** Groups grow and move while leaders change. */
const growing = {
  nodes: 5,
  shards: 4,
  skewedClocks: false,
  growUnderLoad: true,
  faults: ['crash', 'partition', 'transfer', 'slowDisk'],
  faultEveryMs: 500,
  requestEveryMs: 60,
  longFaults: false,
  delayMsMax: 1_000,
  events: 8_000,
} as const;

/** Readers ask a leader that was cut off just now. */
const deposed = {
  nodes: 3,
  shards: 4,
  skewedClocks: false,
  growUnderLoad: false,
  faults: ['pause'],
  faultEveryMs: 3_000,
  longFaults: false,
  requestEveryMs: 30,
  longTaskPercent: 5,
  events: 6_000,
} as const;

export const raftMutants: readonly Mutant[] = [
  {
    name: 'vote-before-fsync',
    sentence: 'A vote leaves before it is on the disk.',
    file: election,
    search: '  replica.sendAfterPersist(answer);',
    replacement: '  replica.send(answer);',
  },
  {
    name: 'ack-before-fsync',
    sentence: 'A follower acknowledges entries before they are on its disk.',
    file: follower,
    search: "  replica.sendAfterPersist(newMessage('MsgAppResp', id, message.from, term, index));",
    replacement: "  replica.send(newMessage('MsgAppResp', id, message.from, term, index));",
  },
  {
    name: 'leader-counts-itself-early',
    sentence: 'A leader counts its own entries before they are on its disk.',
    file: 'src/raft/replica.ts',
    search:
      "    this.sendAfterPersist(newMessage('MsgAppResp', this.id, this.id, this.term, index));",
    replacement:
      "    this.sendAfterPersist(newMessage('MsgAppResp', this.id, this.id, this.term, index));\n" +
      '    this.peers.get(this.id)?.advanceTo(index);\n    this.tryCommit();',
    options: {
      ...unrest,
      faults: ['powerLoss', 'crash', 'partition'],
      slowDiskPerMillion: 200_000,
    },
  },
  {
    name: 'vote-not-remembered',
    sentence: 'A voter forgets whom it voted for in this term.',
    file: election,
    search: '    replica.vote = message.from;',
    replacement: '    replica.lead = 0;',
  },
  {
    name: 'vote-for-a-shorter-log',
    sentence: 'A candidate with the same last term gets votes however short its log is.',
    file: log,
    search: '    return term > ours || (term === ours && index >= this.lastIndex());',
    replacement: '    return term >= ours && index >= 0;',
    options: unrest,
  },
  {
    name: 'heartbeat-commit-unclamped',
    sentence: 'A heartbeat tells of commits beyond what is known to match.',
    file: replication,
    search: '    const commit = Math.min(peer.match, log.committed);',
    replacement: '    const commit = log.committed;',
  },
  {
    name: 'leader-alone-is-a-majority',
    sentence: 'An index counts as committed once one voter of three has it.',
    file: 'src/raft/quorum.ts',
    search: '  return sorted[count - (Math.floor(count / 2) + 1)]!;',
    replacement: '  return sorted[count - 1]!;',
    options: unrest,
  },
  {
    name: 'one-vote-wins',
    sentence: 'An election is won with one vote of three.',
    file: 'src/raft/quorum.ts',
    search: '  const needed = Math.floor(voters.length / 2) + 1;',
    replacement: '  const needed = Math.max(1, Math.floor(voters.length / 2));',
    options: unrest,
  },
  {
    name: 'conflict-not-cut',
    sentence: 'A follower keeps entries that conflict with those of its leader.',
    file: log,
    search: '    const from = entries.findIndex(entry => !this.matches(entry.index, entry.term));',
    replacement: '    const from = entries.findIndex(entry => entry.index > this.lastIndex());',
    options: unrest,
  },
  {
    name: 'read-without-majority',
    sentence: 'A leader of three serves reads as if it were alone.',
    file: 'src/raft/reads.ts',
    search: '(alone && conf.voters[0] === id)',
    replacement: '(alone || conf.voters.includes(id))',
    options: deposed,
  },
  {
    name: 'conf-change-while-one-is-pending',
    sentence: 'A leader appends a change of membership before the last one is applied.',
    file: 'src/raft/conf-change.ts',
    search: "  if (replica.pendingConfIndex > replica.log.applied) return 'confPending';",
    replacement: '',
    options: growing,
  },
];
