import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inflights } from '../../src/raft/inflights.ts';
import {
  changeMembership,
  confFault,
  enterJoint,
  isJoint,
  leaveJoint,
} from '../../src/raft/membership.ts';
import type { ConfOperation, ConfState } from '../../src/raft/message.ts';
import { jointCommitted, jointVote, majorityCommitted } from '../../src/raft/quorum.ts';

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
const indexes = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 });

/** A dumb model: the highest index that, counted by hand, more than half of the voters have. */
function countCommitted(voters: readonly number[], acked: readonly number[]): number {
  for (let index = 12; index > 0; index--) {
    const having = voters.filter(id => acked[id]! >= index).length;
    if (having * 2 > voters.length) return index;
  }
  return 0;
}

describe('quorum arithmetic', () => {
  test('agrees with counting by hand', () => {
    fc.assert(
      fc.property(ids, ids, indexes, (first, second, acked) => {
        const source = { acked: (id: number) => acked[id]! };
        const one = first.length === 0 ? Number.POSITIVE_INFINITY : countCommitted(first, acked);
        const two = second.length === 0 ? Number.POSITIVE_INFINITY : countCommitted(second, acked);
        expect(majorityCommitted(first, source)).toBe(one);
        expect(jointCommitted(first, second, source)).toBe(Math.min(one, two));
        expect(jointCommitted(second, first, source)).toBe(Math.min(one, two));
      }),
      { numRuns: 500 },
    );
  });

  test('an election is won or lost exactly if no missing vote can change that', () => {
    fc.assert(
      fc.property(ids, ids, votes, (first, second, cast) => {
        const result = (fill?: boolean) =>
          jointVote(first, second, { voteOf: id => cast[id] ?? fill });
        const worst = result(false);
        const best = result(true);
        expect(result()).toBe(worst === best ? worst : 'pending');
      }),
      { numRuns: 500 },
    );
  });

  test('two majorities of one membership always share a voter', () => {
    fc.assert(
      fc.property(ids, ids, votes, (first, second, cast) => {
        fc.pre(first.length > 0);
        const won = (side: boolean) =>
          jointVote(first, second, { voteOf: id => cast[id] === side }) === 'won';
        expect(won(true) && won(false)).toBe(false);
      }),
    );
  });
});

const operation: fc.Arbitrary<ConfOperation> = fc.record({
  kind: fc.constantFrom('addVoter', 'addLearner', 'remove', 'update'),
  id: fc.integer({ min: 0, max: 6 }),
});
const start: ConfState = {
  ...{ voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
};

/** All subsets of `voters` that are a majority. */
function majorities(voters: readonly number[]): Set<number>[] {
  return Array.from({ length: 2 ** voters.length }, (_, bits) =>
    voters.filter((_id, at) => (bits >> at) & 1),
  )
    .filter(subset => subset.length * 2 > voters.length)
    .map(subset => new Set(subset));
}

/** Whether some majority of one membership is disjoint from one of the other. */
function canDisagree(a: ConfState, b: ConfState): boolean {
  const quorums = (conf: ConfState) => {
    const outgoing = isJoint(conf) ? majorities(conf.votersOutgoing) : [new Set<number>()];
    return majorities(conf.voters).flatMap(one => outgoing.map(two => one.union(two)));
  };
  return quorums(a).some(one => quorums(b).some(two => one.isDisjointFrom(two)));
}

describe('membership changes', () => {
  const changes = fc.array(
    fc.record({
      transition: fc.constantFrom('auto', 'implicit', 'explicit'),
      changes: fc.array(operation, { maxLength: 4 }),
      context: fc.constant(new Uint8Array(0)),
    }),
    { maxLength: 8 },
  );

  test('in any order lead from one sound membership to one that cannot disagree with it', () => {
    fc.assert(
      fc.property(changes, list => {
        let conf = start;
        for (const change of list) {
          const outcome = changeMembership(conf, change);
          if (!outcome.ok) continue;
          expect(confFault(outcome.conf)).toBeUndefined();
          expect(outcome.conf.voters.length).toBeGreaterThan(0);
          expect(canDisagree(conf, outcome.conf)).toBe(false);
          conf = outcome.conf;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('entering and leaving a joint phase gives what was asked for', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), list => {
        const joint = enterJoint(start, true, list);
        fc.pre(joint.ok);
        if (!joint.ok) return;
        expect(joint.conf.votersOutgoing).toEqual([1, 2, 3]);
        const left = leaveJoint(joint.conf);
        expect(left.ok && left.conf.voters).toEqual(joint.conf.voters);
        for (let id = 1; id <= 6; id++) {
          const last = list.findLast(({ kind, id: of }) => of === id && kind !== 'update');
          const wanted = last?.kind ?? (id <= 3 ? 'addVoter' : 'remove');
          expect(left.ok && left.conf.voters.includes(id)).toBe(wanted === 'addVoter');
          expect(left.ok && left.conf.learners.includes(id)).toBe(wanted === 'addLearner');
        }
      }),
    );
  });
});

describe('the append window', () => {
  test('behaves as a list of what is in it', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ free: fc.integer({ min: 0, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const window = new Inflights(5, 120);
        let model: { index: number; bytes: number }[] = [];
        let index = 0;
        for (const one of steps) {
          const full = model.length >= 5 || model.reduce((sum, m) => sum + m.bytes, 0) >= 120;
          expect(window.full).toBe(full);
          if ('add' in one) {
            if (full) continue;
            window.add(++index, one.add);
            model.push({ index, bytes: one.add });
          } else {
            window.freeThrough(one.free);
            model = model.filter(entry => entry.index > one.free);
          }
          expect(window.count).toBe(model.length);
          expect(window.bytes).toBe(model.reduce((sum, m) => sum + m.bytes, 0));
        }
      }),
    );
  });
});
