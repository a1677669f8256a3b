/** What memory keeps of a spec in the rows of its tasks: a start reads that and not the spec. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSpecTerms, encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import { keyOf } from '../../../src/shard/memory/key-hash.ts';
import { SpecTable } from '../../../src/shard/memory/spec-table.ts';
import { anyId, anySpec, fullSpec, smallSpec } from '../model/samples.ts';

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const digest = Uint32Array.of(1, 2, 3, 4);

/** A table that has read the row of a spec. */
function learned(spec: TaskSpec): SpecTable {
  const table = new SpecTable();
  table.learn(table.expect(digest), decodeSpecTerms(encodeSpec(spec)));
  return table;
}

/** A table that has read what another one kept; `undefined` where that is too much. */
function taught(of: SpecTable, spec: TaskSpec): SpecTable | undefined {
  const terms = of.keptTerms(0);
  if (terms === undefined) return undefined;
  const table = new SpecTable();
  table.learnKept(table.expect(digest), terms, keyOf(spec));
  return table;
}

const contents = (table: SpecTable): unknown => ({
  traits: table.traits(0),
  key: table.key(0),
  line: table.line(0),
});

const window = fc.record({ days: fc.nat(127), from: fc.nat(1_439), to: fc.nat(1_440) });
const short = fc.string({ maxLength: 6 });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const scheduling = fc.record({
  orderKey: optional(short),
  prefer: optional(fc.array(fc.tuple(short, short), { maxLength: 2 })),
  spread: optional(fc.record({ label: short, group: short })),
  toleranceMs: optional(fc.nat()),
  priority: fc.constantFrom('high' as const, 'low' as const, undefined),
  offPeak: optional(
    fc.record({ byLoad: fc.boolean(), windows: fc.array(window, { maxLength: 2 }) }),
  ),
  expireMs: optional(fc.nat()),
  periodMs: optional(fc.nat()),
  after: optional(fc.array(anyId, { maxLength: 2 })),
  when: fc.constantFrom('failure' as const, 'always' as const, undefined),
  retryOn: optional(fc.array(fc.constantFrom('75', 'oom'), { maxLength: 2 })),
  noRetryOn: optional(fc.array(fc.constantFrom('75', 'oom'), { maxLength: 2 })),
  maxRunningPer: optional(fc.record({ key: short, max: fc.nat() })),
  notBeforeMs: optional(fc.nat()),
  delayMs: optional(fc.nat()),
  gang: optional(fc.nat()),
  reservation: optional(short),
});

describe('kept terms', () => {
  test('say all that the row of the spec says to a shard', () => {
    let kept = 0;
    fc.assert(
      fc.property(anySpec, scheduling, fc.boolean(), (plain, more, isPlain) => {
        const spec: TaskSpec = isPlain ? plain : { ...plain, ...more };
        const from = learned(spec);
        const table = taught(from, spec);
        if (table === undefined) return;
        kept++;
        expect(contents(table)).toEqual(contents(from));
        expect(table.traitsCount).toBe(1);
      }),
      { numRuns: 500 },
    );
    // The others have texts of many bytes.
    expect(kept).toBeGreaterThan(200);
  });

  test('are the traits of specs that were learnt from rows, and of those only once', () => {
    const table = learned(smallSpec);
    const terms = table.keptTerms(0)!;
    for (let n = 1; n <= 3; n++)
      table.learnKept(table.expect(Uint32Array.of(n, 0, 0, 0)), terms, undefined);
    expect(table.traits(3)).toBe(table.traits(0));
    expect(table.traits(0).uses).toBe(4);
    for (let spec = 0; spec < 4; spec++) table.drop(spec);
    expect(table.traitsCount).toBe(0);
    // What was forgotten is made anew, not remembered by its bytes.
    table.learnKept(table.expect(digest), terms, undefined);
    expect(table.traitsCount).toBe(1);
    expect(table.traits(0).uses).toBe(1);
  });

  test('have these bytes', () => {
    expect(hex(learned(smallSpec).keptTerms(0))).toBe(
      '2c010764656661756c74006480808020000000000000000000010080b899290000010000a09c010000000000' +
        '0000',
    );
    const all: TaskSpec = {
      ...fullSpec,
      prefer: [['disk', 'ssd']],
      spread: { label: 'zone', group: 'g' },
      gang: 4,
      reservation: 'r',
      priority: 'low',
      offPeak: { byLoad: true, windows: [{ days: 96, from: 0, to: 1_440 }] },
      retryOn: ['75'],
      noRetryOn: ['oom'],
      when: 'always',
      maxRunningPer: { key: 'k', max: 2 },
      toleranceMs: 1,
      expireMs: 2,
      notBeforeMs: 3,
      delayMs: 4,
    };
    expect(hex(learned(all).keptTerms(0))).toBe(
      '60010461636d6502f40300000000020103677075037965730101046469736b0373736401047a6f6e6509343a61' +
        '636d65313a6701040101720461636d65020101016000a00b0102c0cf2403e807e0d40380dddb010304010237' +
        '3501036f6f6d000203005d005d01028495f2a988d9f60b',
    );
  });

  test('are left in the row of the spec where there is much of them', () => {
    const require = Array.from({ length: 20 }, (_, n): [string, string] => [
      `label${n}`,
      'x'.repeat(9),
    ]);
    expect(learned({ ...smallSpec, require }).keptTerms(0)).toBeUndefined();
    // A key is a hash, however long it is.
    expect(learned({ ...smallSpec, idempotencyKey: 'k'.repeat(1_000) }).keptTerms(0)).toBeDefined();
  });

  test('that are cut short, too long or of a later program are refused', () => {
    const terms = learned({ ...fullSpec, orderKey: 'o' }).keptTerms(0)!;
    const read = (bytes: Uint8Array, hash = keyOf(fullSpec)) => {
      const table = new SpecTable();
      table.learnKept(table.expect(digest), bytes, hash);
    };
    read(terms);
    for (let length = 0; length < terms.length; length++) {
      expect(() => read(terms.subarray(0, length))).toThrow();
    }
    expect(() => read(Uint8Array.of(...terms, 0))).toThrow('1 bytes too many');
    const changed = (at: number, value: number) => () => {
      const bytes = terms.slice();
      bytes[at] = value;
      read(bytes);
    };
    expect(changed(1, 2)).toThrow('kept terms: version 2');
    expect(changed(1 + terms[0]!, 7)).toThrow('unknown flags');
    expect(changed(7, 9)).toThrow('unknown tier 9');
    expect(() => read(learned(smallSpec).keptTerms(0)!)).toThrow('key is missing');
  });
});
