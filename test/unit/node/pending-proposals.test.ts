/** The one answer that each proposal gets. */
import { describe, expect, test } from 'vitest';
import { TschedError } from '../../../src/model/errors.ts';
import { type Applied, PendingProposals } from '../../../src/node/pending-proposals.ts';

interface Answer {
  applied?: Applied;
  code?: string;
}

const make = (): PendingProposals =>
  new PendingProposals(1, () => new TschedError('notLeader', 'not the leader'));

function propose(pending: PendingProposals, first: number, term: number, count = 1): Answer[] {
  const answers = Array.from({ length: count }, (): Answer => ({}));
  pending.add(
    first,
    term,
    answers.map(answer => ({
      data: new Uint8Array(1),
      resolve: applied => {
        answer.applied = applied;
      },
      reject: error => {
        answer.code = error.code;
      },
    })),
  );
  return answers;
}

const entry = (index: number, term: number) => ({
  index,
  term,
  type: 0 as const,
  data: new Uint8Array(1),
});

describe('a proposal', () => {
  test('is answered with what its own entry came to', () => {
    const pending = make();
    const [first, second] = propose(pending, 5, 2, 2);
    pending.settle(entry(5, 2), ['a']);
    expect(first).toEqual({ applied: { index: 5, term: 2, replies: ['a'] } });
    expect(second).toEqual({});
  });

  test('has definitely failed where an entry of another term stands at its index', () => {
    const pending = make();
    const [answer] = propose(pending, 5, 2);
    pending.settle(entry(5, 3), []);
    expect(answer).toEqual({ code: 'notLeader' });
  });

  test('has definitely failed once an earlier index holds a later term', () => {
    const pending = make();
    const [before, behind] = propose(pending, 5, 2, 2);
    pending.overtaken(5, 3);
    expect(before).toEqual({});
    expect(behind).toEqual({ code: 'notLeader' });
  });

  test('may yet stand where it was only overwritten in this log', () => {
    const pending = make();
    const [old] = propose(pending, 5, 2);
    const [young] = propose(pending, 5, 4);
    expect(old).toEqual({ code: 'outcomeUnknown' });
    pending.settle(entry(5, 4), []);
    expect(young?.applied?.term).toBe(4);
  });

  test('may yet stand where its replica is gone', () => {
    const pending = make();
    const [answer] = propose(pending, 5, 2);
    pending.abandon();
    pending.settle(entry(5, 2), []);
    expect(answer).toEqual({ code: 'outcomeUnknown' });
  });
});
