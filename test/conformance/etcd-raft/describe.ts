/** Words for what the core hands out, in the transcripts' form. */
import { decodeConfChange } from '../../../src/raft/codec.ts';
import type { ConfOperation, ConfState, Entry, SnapshotMeta } from '../../../src/raft/message.ts';
import type { ProgressStatus, Ready, Role } from '../../../src/raft/ready.ts';

const decoder = new TextDecoder();

/** A message of the transcripts: one between replicas, or one to or from a storage thread. */
export interface Described {
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly reject?: boolean;
  readonly rejectHint?: number;
  readonly commit?: number;
  readonly vote?: number;
  readonly readCtr?: number;
  readonly entries?: readonly Entry[];
  readonly snapshot?: SnapshotMeta | undefined;
  readonly responses?: readonly Described[];
}

const OPERATION_LETTERS: Record<ConfOperation['kind'], string> = {
  addVoter: 'v',
  addLearner: 'l',
  remove: 'r',
  update: 'u',
};
const STATE_NAMES: Record<Role, string> = {
  follower: 'StateFollower',
  preCandidate: 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};
const FLOW_NAMES = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' };

export function stateName(role: Role): string {
  return STATE_NAMES[role];
}

export function operationsFrom(text: string): ConfOperation[] {
  const tokens = text.trim().split(/\s+/).filter(Boolean);
  return tokens.map(token => {
    for (const [kind, letter] of Object.entries(OPERATION_LETTERS)) {
      if (!token.startsWith(letter)) continue;
      return { kind: kind as ConfOperation['kind'], id: Number(token.slice(1)) };
    }
    throw new Error(`unknown operation ${token}`);
  });
}

export function describeEntry(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.type === 0) {
    return `${place} EntryNormal ${JSON.stringify(decoder.decode(entry.data))}`;
  }
  const { changes } = decodeConfChange(entry.data);
  const operations = changes.map(({ kind, id }) => ` ${OPERATION_LETTERS[kind]}${id}`);
  return `${place} EntryConfChange${entry.type === 2 ? 'V2' : ''}${operations.join('')}`;
}

function ids(list: readonly number[]): string {
  return `[${list.join(' ')}]`;
}

export function describeSnapshot({ index, term, conf }: SnapshotMeta): string {
  return (
    `Index:${index} Term:${term} ConfState:Voters:${ids(conf.voters)} ` +
    `VotersOutgoing:${ids(conf.votersOutgoing)} Learners:${ids(conf.learners)} ` +
    `LearnersNext:${ids(conf.learnersNext)} AutoLeave:${conf.autoLeave}`
  );
}

/** A message as lines; the first is not indented. */
export function describeMessage(m: Described): string[] {
  let head = `${m.from}->${m.to} ${m.type} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) head += ` Rejected (Hint: ${m.rejectHint ?? 0})`;
  if (m.commit) head += ` Commit:${m.commit}`;
  if (m.vote) head += ` Vote:${m.vote}`;
  if (m.readCtr) head += ` Read:${m.readCtr}`;
  const lines = [head];
  const extend = (text: string) => lines.push((lines.pop() ?? '') + text);
  const entries = m.entries ?? [];
  if (entries.length === 1) {
    extend(` Entries:[${describeEntry(entries[0]!)}]`);
  } else if (entries.length > 1) {
    extend(' Entries:[');
    lines.push(...entries.map(entry => `  ${describeEntry(entry)}`), ']');
  }
  if (m.snapshot !== undefined) lines.push(`  Snapshot: ${describeSnapshot(m.snapshot)}`);
  if (m.responses !== undefined && m.responses.length > 0) {
    extend(' Responses:[');
    for (const response of m.responses) {
      lines.push(...describeMessage(response).map(line => `  ${line}`));
    }
    lines.push(']');
  }
  return lines;
}

/** A Ready as lines, with the messages that the environment makes of it. */
export function describeReady(
  ready: Ready,
  mustSync: boolean,
  messages: readonly Described[],
): string[] {
  const lines: string[] = [];
  const { soft, persist, committed, reads, readsLost } = ready;
  if (soft !== undefined) lines.push(`Lead:${soft.lead} State:${stateName(soft.state)}`);
  const hard = persist?.hard;
  if (hard !== undefined) {
    const vote = hard.vote === 0 ? '' : ` Vote:${hard.vote}`;
    lines.push(`HardState Term:${hard.term}${vote} Commit:${hard.commit}`);
  }
  if (reads.length > 0) {
    lines.push(`Reads ${reads.map(({ ctr, index }) => `${ctr}@${index}`).join(' ')}`);
  }
  if (readsLost.length > 0) lines.push(`ReadsLost ${readsLost.join(' ')}`);
  if (persist !== undefined && persist.entries.length > 0) {
    lines.push('Entries:', ...persist.entries.map(describeEntry));
  }
  if (persist?.snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(persist.snapshot)}`);
  if (committed.length > 0) lines.push('CommittedEntries:', ...committed.map(describeEntry));
  if (messages.length > 0) lines.push('Messages:', ...messages.flatMap(describeMessage));
  if (lines.length === 0) return ['<empty Ready>'];
  return [`Ready MustSync=${mustSync}:`, ...lines];
}

export function describeProgress(p: ProgressStatus): string {
  let line = `${p.id}: ${FLOW_NAMES[p.state]} match=${p.match} next=${p.next}`;
  if (p.learner) line += ' learner';
  if (p.paused) line += ' paused';
  if (p.pendingSnapshot > 0) line += ` pendingSnap=${p.pendingSnapshot}`;
  if (!p.recentActive) line += ' inactive';
  if (p.inflight > 0) line += ` inflight=${p.inflight}${p.inflightFull ? '[full]' : ''}`;
  return line;
}

export function describeConf(conf: ConfState): string {
  const majority = (list: readonly number[]) => `(${list.join(' ')})`;
  let line = `voters=${majority(conf.voters)}`;
  if (conf.votersOutgoing.length > 0) line += `&&${majority(conf.votersOutgoing)}`;
  if (conf.learners.length > 0) line += ` learners=${majority(conf.learners)}`;
  if (conf.learnersNext.length > 0) line += ` learners_next=${majority(conf.learnersNext)}`;
  if (conf.autoLeave) line += ' autoleave';
  return line;
}
