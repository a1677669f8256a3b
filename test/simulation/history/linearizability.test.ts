/** The judge is judged: histories with known verdicts, and a plain search beside it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizable, type Model, type Operation } from './linearizability.ts';

type Input =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'cas'; readonly from: number; readonly to: number };
/** Of a read the value, of a write 0, of a compare-and-set whether it was done. */
type Output = number | boolean;
type Step = Operation<Input, Output>;

/** A register that begins with 0. */
const register: Model<number, Input, Output> = {
  initial: 0,
  step: (state, input, output) => {
    if (input.kind === 'write') return input.value;
    if (input.kind === 'read') return output === undefined || output === state ? state : undefined;
    const done = input.from === state;
    if (output !== undefined && output !== done) return undefined;
    return done ? input.to : state;
  },
  name: String,
};

/**
 * One line an operation: `from-to what`, `from-? what` for one without an outcome. What is `w1`,
 * `r1`, `c1>2 yes`, `c1>2 no`, `c1>2` (no outcome known), with `@key` behind it where not `x`.
 */
function parse(text: string): Step[] {
  return text
    .trim()
    .split(/\s*;\s*/)
    .map(line => {
      const match =
        /^(\d+)-(\d+|\?) (?:w(\d+)|r(\d+)?|c(\d+)>(\d+)(?: (yes|no))?)(?:@(\w+))?$/.exec(line);
      if (match === null) throw new Error(`cannot read ${line}`);
      const [, call, end, write, read, from, to, done, key] = match;
      const returnAt = end === '?' ? undefined : Number(end);
      const base = { key: key ?? 'x', callAt: Number(call), returnAt };
      if (write !== undefined) {
        const output = returnAt === undefined ? undefined : 0;
        return { ...base, input: { kind: 'write', value: Number(write) }, output };
      }
      if (from !== undefined) {
        const input = { kind: 'cas' as const, from: Number(from), to: Number(to) };
        return { ...base, input, output: done === undefined ? undefined : done === 'yes' };
      }
      const output = read === undefined ? undefined : Number(read);
      return { ...base, input: { kind: 'read' }, output };
    });
}

const good: readonly (readonly [what: string, history: string])[] = [
  ['nothing but a read of the beginning', '1-2 r0'],
  ['a write, then a read of it', '1-2 w1; 3-4 r1'],
  ['a read during a write that sees it', '1-5 w1; 2-3 r1'],
  ['a read during a write that does not see it', '1-5 w1; 2-3 r0'],
  ['a read during a write before and one after it took effect', '1-9 w1; 2-3 r0; 4-5 r1'],
  ['two concurrent writes, the first one last', '1-5 w1; 2-6 w2; 7-8 r1'],
  ['two concurrent writes, the second one last', '1-5 w1; 2-6 w2; 7-8 r2'],
  ['operations that touch', '1-2 w1; 2-3 r0'],
  ['a write without an outcome that happened', '1-? w1; 2-3 r0; 4-5 r1; 6-7 r1'],
  ['a write without an outcome that never happened', '1-? w1; 2-3 r0; 4-5 r0'],
  ['a write without an outcome that happened after a later one', '1-? w1; 2-3 w2; 4-5 r2; 6-7 r1'],
  ['two without outcomes, one of which happened', '1-? w1; 1-? w2; 3-4 r2; 5-6 r2'],
  ['a compare-and-set that was done', '1-2 w1; 3-4 c1>2 yes; 5-6 r2'],
  ['one that was not done', '1-2 w1; 3-4 c2>3 no; 5-6 r1'],
  ['two concurrent ones, of which one was done', '1-4 c0>1 yes; 2-5 c0>2 no; 6-7 r1'],
  ['one without an outcome that was done', '1-? c0>1; 2-3 r1'],
  ['one without an outcome that was not done', '1-? c0>1; 2-3 r0; 4-5 w5; 6-7 r5'],
  ['two keys that go their own ways', '1-2 w1@a; 3-4 r0@b; 5-6 r1@a'],
  [
    'a chain that has to be taken in one order',
    '1-9 c2>3 yes; 1-9 c1>2 yes; 1-9 c0>1 yes; 10-11 r3',
  ],
  ['a read without an outcome', '1-? r; 2-3 w1; 4-5 r1'],
];

const bad: readonly (readonly [what: string, history: string])[] = [
  ['a value that nobody wrote', '1-2 r7'],
  ['a stale read', '1-2 w1; 3-4 r0'],
  ['a read that goes back', '1-9 w1; 2-3 r1; 4-5 r0'],
  ['two readers that see two writes in two orders', '1-9 w1; 1-9 w2; 2-3 r1; 4-5 r2; 6-7 r1'],
  ['a lost update', '1-2 c0>1 yes; 3-4 c0>2 yes'],
  ['a lost update of concurrent clients', '1-4 c0>1 yes; 2-5 c0>2 yes; 6-7 r2'],
  ['a write that is lost', '1-2 w1; 3-4 w2; 5-6 r1'],
  ['a write without an outcome that is undone', '1-? w1; 2-3 r1; 4-5 r0'],
  ['a write without an outcome that is seen before it began', '1-2 r1; 3-? w1'],
  ['a write without an outcome that happens twice', '1-? w1; 2-3 r1; 4-5 w2; 6-7 r2; 8-9 r1'],
  ['a compare-and-set that should have been done', '1-2 w1; 3-4 c1>2 no'],
  ['one that should not have been done', '1-2 w1; 3-4 c2>3 yes'],
  ['one without an outcome that cannot have been done', '1-2 w5; 3-? c0>1; 4-5 r1'],
  ['a bad key beside a good one', '1-2 w1@a; 3-4 r1@a; 1-2 w1@b; 3-4 r0@b'],
  ['a chain with a missing link', '1-9 c2>3 yes; 1-9 c0>1 yes; 10-11 r3'],
];

describe('a history is possible', () => {
  test.each(good)('that is %s', (_what, history) => {
    expect(checkLinearizable(register, parse(history)).verdict).toBe('linearizable');
  });
});

describe('a history is impossible', () => {
  test.each(bad)('that is %s', (_what, history) => {
    expect(checkLinearizable(register, parse(history)).verdict).toBe('violated');
  });

  test('and the key is named', () => {
    const found = checkLinearizable(register, parse('1-2 w1@a; 3-4 r1@a; 1-2 w1@b; 3-4 r0@b'));
    expect(found).toEqual({ verdict: 'violated', key: 'b' });
  });
});

describe('the budget', () => {
  /** Writes that all overlap, and a read of a value that none of them wrote. */
  const hard = (key: string): Step[] => [
    ...Array.from({ length: 24 }, (_, at): Step => {
      const input = { kind: 'cas' as const, from: 100 + at, to: at };
      return { key, callAt: at, returnAt: 100, input, output: undefined };
    }),
    ...Array.from({ length: 24 }, (_, at): Step => {
      return { key, callAt: at, returnAt: 100, input: { kind: 'write', value: at }, output: 0 };
    }),
    { key, callAt: 101, returnAt: 102, input: { kind: 'read' }, output: 77 },
  ];

  test('ends a search that would last too long, and says so', () => {
    expect(checkLinearizable(register, hard('x'), 10_000).verdict).toBe('undecided');
  });

  test('of one key that is hard leaves room to find what is wrong with another', () => {
    const history = [...hard('a'), ...parse('1-2 w1@b; 3-4 r0@b')];
    expect(checkLinearizable(register, history, 10_000)).toEqual({ verdict: 'violated', key: 'b' });
  });
});

/** By trying every order of every subset that holds all that returned. */
function possible(state: number, left: readonly Step[]): boolean {
  if (left.every(one => one.returnAt === undefined)) return true;
  return left.some(one => {
    const others = left.filter(other => other !== one);
    const tooEarly = others.some(
      other => other.returnAt !== undefined && other.returnAt < one.callAt,
    );
    if (tooEarly) return false;
    const next = register.step(state, one.input, one.output);
    return next !== undefined && possible(next, others);
  });
}

const anyStep: fc.Arbitrary<Step> = fc
  .record({
    callAt: fc.nat(8),
    lasts: fc.nat(5),
    isOpen: fc.nat(4).map(one => one === 0),
    kind: fc.constantFrom('read', 'write', 'cas'),
    value: fc.nat(2),
    from: fc.nat(2),
    done: fc.boolean(),
  })
  .map(({ callAt, lasts, isOpen, kind, value, from, done }) => {
    const base = { key: 'x', callAt, returnAt: isOpen ? undefined : callAt + lasts };
    if (kind === 'read') {
      return { ...base, input: { kind: 'read' }, output: isOpen ? undefined : value };
    }
    if (kind === 'write') {
      return { ...base, input: { kind: 'write', value }, output: isOpen ? undefined : 0 };
    }
    const input = { kind: 'cas' as const, from, to: value };
    return { ...base, input, output: isOpen ? undefined : done };
  });

test('it says of any small history what trying every order says', () => {
  let impossible = 0;
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 6 }), history => {
      const expected = possible(0, history) ? 'linearizable' : 'violated';
      if (expected === 'violated') impossible++;
      expect(checkLinearizable(register, history).verdict).toBe(expected);
    }),
    { numRuns: 2_000 },
  );
  // Both verdicts were there to be told apart.
  expect(impossible).toBeGreaterThan(100);
});
