/** The directives of the quorum and confchange files, which need no cluster. */
import { changeSimply, enterJoint, leaveJoint } from '../../../src/raft/membership.ts';
import { EMPTY_CONF } from '../../../src/raft/memory-log.ts';
import type { ConfState } from '../../../src/raft/message.ts';
import { ProgressSet } from '../../../src/raft/progress.ts';
import {
  jointCommitted,
  jointVote,
  majorityCommitted,
  majorityVote,
} from '../../../src/raft/quorum.ts';
import { progressStatus } from '../../../src/raft/status.ts';
import { type Directive, valuesOf } from './datadriven.ts';
import { describeConf, describeProgress, operationsFrom } from './describe.ts';

/** Runs the directives of one file, in order. */
export interface Suite {
  run(directive: Directive): string[];
}

const VOTE_NAMES = { pending: 'VotePending', won: 'VoteWon', lost: 'VoteLost' };

/** Committed index in another way: by counting, for every index, who has it. */
function committedByCounting(voters: readonly number[], acks: ReadonlyMap<number, number>): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const enough = Math.floor(voters.length / 2) + 1;
  const candidates = voters
    .map(id => acks.get(id) ?? 0)
    .filter(index => voters.filter(id => (acks.get(id) ?? 0) >= index).length >= enough);
  return Math.max(0, ...candidates);
}

function printIndex(index: number): string {
  return Number.isFinite(index) ? String(index) : '∞';
}

/** The table of acknowledged indexes; longer bars are further ahead. */
function ackTable(ids: readonly number[], acks: ReadonlyMap<number, number>): string[] {
  const count = ids.length;
  const lines = [`${' '.repeat(count)}    idx`];
  const byIndex = ids.map(id => acks.get(id) ?? 0).sort((a, b) => a - b);
  for (const id of ids) {
    const index = acks.get(id);
    const behind = byIndex.indexOf(index ?? 0);
    const bar =
      index === undefined
        ? `?${' '.repeat(count)}`
        : `${'x'.repeat(behind)}>${' '.repeat(count - behind)}`;
    lines.push(`${bar} ${String(index ?? 0).padStart(5)}    (id=${id})`);
  }
  return lines;
}

/** `committed` and `vote`, with the identities that must hold for every configuration. */
export class QuorumSuite implements Suite {
  run(directive: Directive): string[] {
    const first = [...new Set(valuesOf(directive, 'cfg').map(Number))].sort((a, b) => a - b);
    const joint = directive.args.some(arg => arg.key === 'cfgj');
    const named = valuesOf(directive, 'cfgj').filter(value => value !== 'zero');
    const second = [...new Set(named.map(Number))].sort((a, b) => a - b);
    // Values belong to the voters in the order in which they are first named.
    const listed = [...valuesOf(directive, 'cfg').map(Number), ...named.map(Number)];
    const ids = [...new Set(listed)];
    const values = valuesOf(directive, directive.command === 'vote' ? 'votes' : 'idx');
    if (values.length !== ids.length)
      throw new Error(`${ids.length} voters, ${values.length} values`);
    const given = new Map<number, string>();
    ids.forEach((id, at) => {
      if (values[at] !== '_') given.set(id, values[at]!);
    });
    if (directive.command === 'vote') return this.#vote(first, second, joint, given);
    return this.#committed(first, second, joint, given);
  }

  #vote(
    first: readonly number[],
    second: readonly number[],
    joint: boolean,
    given: ReadonlyMap<number, string>,
  ): string[] {
    const votes = {
      voteOf: (id: number) => (given.has(id) ? given.get(id) === 'y' : undefined),
    };
    if (!joint) return [VOTE_NAMES[majorityVote(first, votes)]];
    const result = jointVote(first, second, votes);
    const mirrored = jointVote(second, first, votes);
    const lines = mirrored === result ? [] : [`${VOTE_NAMES[mirrored]} <-- via symmetry`];
    return [...lines, VOTE_NAMES[result]];
  }

  #committed(
    first: readonly number[],
    second: readonly number[],
    joint: boolean,
    given: ReadonlyMap<number, string>,
  ): string[] {
    const indexes = new Map([...given].map(([id, value]) => [id, Number(value)]));
    const acks = { acked: (id: number) => indexes.get(id) ?? 0 };
    const all = [...new Set([...first, ...second])].sort((a, b) => a - b);
    if (joint) {
      const index = jointCommitted(first, second, acks);
      const lines = all.length === 0 ? [] : ackTable(all, indexes);
      const mirrored = jointCommitted(second, first, acks);
      if (mirrored !== index) lines.push(`${printIndex(mirrored)} <-- via symmetry`);
      const result = printIndex(index);
      return [...lines, all.length === 0 ? `<empty majority quorum>${result}` : result];
    }
    const index = majorityCommitted(first, acks);
    if (first.length === 0) return [`<empty majority quorum>${printIndex(index)}`];
    const lines = ackTable(first, indexes);
    const check = (found: number, how: string) => {
      if (found !== index) lines.push(`${printIndex(found)} <-- ${how}`);
    };
    check(committedByCounting(first, indexes), 'via alternative computation');
    check(jointCommitted(first, [], acks), 'via zero-joint quorum');
    check(jointCommitted(first, first, acks), 'via self-joint quorum');
    for (const id of first) {
      const own = indexes.get(id) ?? 0;
      if (index <= own || own === 0) continue;
      // Who is behind the committed index already does not decide it.
      for (const lower of [own - 1, 0]) {
        const overlay = { acked: (voter: number) => (voter === id ? lower : acks.acked(voter)) };
        check(majorityCommitted(first, overlay), `overlaying ${id}->${lower}`);
      }
    }
    return [...lines, printIndex(index)];
  }
}

/** `simple`, `enter-joint` and `leave-joint`: the log grows by one entry per directive. */
export class ConfChangeSuite implements Suite {
  #conf: ConfState = EMPTY_CONF;
  readonly #peers = new ProgressSet(10, 0);
  #lastIndex = 0;

  run(directive: Directive): string[] {
    const lastIndex = this.#lastIndex++;
    const operations = operationsFrom(directive.input);
    const outcome = this.#change(directive, operations);
    if (typeof outcome === 'string') return [outcome];
    if (!outcome.ok) return [outcome.why];
    this.#conf = outcome.conf;
    this.#peers.reconcile(outcome.conf, outcome.fresh, lastIndex);
    const progress = this.#peers.all.map(peer => describeProgress(progressStatus(peer)));
    return [describeConf(this.#conf), ...progress];
  }

  #change(directive: Directive, operations: ReturnType<typeof operationsFrom>) {
    switch (directive.command) {
      case 'simple':
        return changeSimply(this.#conf, operations);
      case 'enter-joint': {
        const autoLeave = valuesOf(directive, 'autoleave')[0] === 'true';
        return enterJoint(this.#conf, autoLeave, operations);
      }
      case 'leave-joint':
        return operations.length > 0 ? 'this command takes no input' : leaveJoint(this.#conf);
      default:
        throw new Error(`unknown command ${directive.command}`);
    }
  }
}
