/** What holds for every format of src/model: what is written is read back, and nothing else is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAdvertisement, encodeAdvertisement } from '../../../src/model/advertisement.ts';
import { type Outcome, readOutcome, writeOutcome } from '../../../src/model/attempt.ts';
import { ByteReader, ByteWriter, DecodeError } from '../../../src/model/bytes.ts';
import { decodeShardCommand, encodeShardCommand } from '../../../src/model/command.ts';
import { limits } from '../../../src/model/limits.ts';
import { type Resources, resourceNames } from '../../../src/model/resources.ts';
import { decodeSpec, encodeSpec } from '../../../src/model/spec.ts';
import {
  asksMax,
  decodeFromWorker,
  decodeToWorker,
  encodeFromWorker,
  encodeToWorker,
} from '../../../src/model/worker-protocol.ts';
import {
  advertisement,
  anyAdvertisement,
  anyCommand,
  anyFromWorker,
  anyOutcome,
  anySpec,
  anyToWorker,
  commands,
  fromWorker,
  fullSpec,
  plainAdvertisement,
  plainOutcome,
  sampleId,
  smallSpec,
  textTooLong,
} from './samples.ts';

function encodeOutcome(outcome: Outcome): Uint8Array {
  const writer = new ByteWriter();
  writeOutcome(writer, outcome);
  return writer.finish();
}

function decodeOutcome(bytes: Uint8Array): Outcome {
  const reader = new ByteReader(bytes);
  const outcome = readOutcome(reader);
  reader.end('outcome');
  return outcome;
}

interface Format<T> {
  readonly name: string;
  /** Newest version that is read; 1 where it is not given. */
  readonly newest?: number;
  readonly any: fc.Arbitrary<T>;
  /** Values that are written as version 1, where others are not. */
  readonly first?: fc.Arbitrary<T>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
}

/** Hides the type of the value, so that all formats fit one table. */
const format = <T>(of: Format<T>): Format<unknown> => of as unknown as Format<unknown>;

const formats = [
  format({ name: 'task spec', any: anySpec, encode: encodeSpec, decode: decodeSpec }),
  format({
    name: 'outcome',
    any: anyOutcome,
    first: plainOutcome,
    newest: 2,
    encode: encodeOutcome,
    decode: decodeOutcome,
  }),
  format({
    name: 'command',
    any: anyCommand,
    encode: encodeShardCommand,
    decode: decodeShardCommand,
  }),
  format({
    name: 'to worker',
    any: anyToWorker,
    encode: encodeToWorker,
    decode: decodeToWorker,
  }),
  format({
    name: 'from worker',
    any: anyFromWorker,
    encode: encodeFromWorker,
    decode: decodeFromWorker,
  }),
  format({
    name: 'advertisement',
    newest: 2,
    any: anyAdvertisement,
    first: plainAdvertisement,
    encode: encodeAdvertisement,
    decode: decodeAdvertisement,
  }),
];

/** Whether the bytes were read; anything but a `DecodeError` is a failure of the test. */
function isRead({ decode }: Format<unknown>, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    return false;
  }
}

describe.each(formats)('The format of $name', given => {
  test('gives back what was written, in the same bytes', () => {
    fc.assert(
      fc.property(given.any, value => {
        const bytes = given.encode(value);
        const read = given.decode(bytes);
        expect(read).toEqual(value);
        expect(given.encode(read)).toEqual(bytes);
      }),
    );
  });

  test('begins with a version that is read and refuses any other', () => {
    const { newest = 1 } = given;
    const later = fc.integer({ min: newest + 1, max: 255 });
    fc.assert(
      fc.property(given.any, later, (value, version) => {
        const bytes = given.encode(value);
        expect(bytes[0]).toBeGreaterThanOrEqual(1);
        expect(bytes[0]).toBeLessThanOrEqual(newest);
        bytes[0] = version;
        expect(() => given.decode(bytes)).toThrow(
          `version ${version}, this program reads ${newest}`,
        );
      }),
      { numRuns: 20 },
    );
  });

  test('is version 1 where that says all', () => {
    fc.assert(
      fc.property(given.first ?? given.any, value => {
        expect(given.encode(value)[0]).toBe(1);
      }),
      { numRuns: 20 },
    );
  });

  test('keeps nothing of the buffer it was read from', () => {
    fc.assert(
      fc.property(given.any, value => {
        const bytes = given.encode(value);
        const read = given.decode(bytes);
        bytes.fill(0);
        expect(read).toEqual(value);
      }),
      { numRuns: 30 },
    );
  });

  test('refuses trailing bytes', () => {
    fc.assert(
      fc.property(given.any, value => {
        const bytes = given.encode(value);
        expect(isRead(given, new Uint8Array([...bytes, 0]))).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test('survives a changed byte: another value or a DecodeError', () => {
    fc.assert(
      fc.property(given.any, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, change) => {
        const bytes = given.encode(value);
        bytes[at % bytes.length]! ^= change;
        isRead(given, bytes);
      }),
      { numRuns: 300 },
    );
  });

  test('survives random bytes of every kind', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.uint8Array({ maxLength: 400 }), (kind, bytes) => {
        isRead(given, bytes);
        isRead(given, new Uint8Array([1, kind, ...bytes]));
      }),
      { numRuns: 500 },
    );
  });

  test('is refused at once where it promises more than there is', () => {
    // Lengths of 2^53 - 1 everywhere: memory and time stay those of the bytes given.
    const huge = [255, 255, 255, 255, 255, 255, 255, 15];
    for (let kind = 0; kind < 8; kind++) {
      expect(isRead(given, new Uint8Array([1, kind, ...huge, ...huge, ...huge]))).toBe(false);
    }
    const nested = new Uint8Array(1_000_000).fill(127);
    nested[0] = 1;
    expect(isRead(given, nested)).toBe(false);
  });
});

// A spec is a list of optional fields: cut between two of them it is still one.
describe.each(formats.filter(({ name }) => name !== 'task spec'))('A cut $name', given => {
  test('is refused wherever it was cut', () => {
    fc.assert(
      fc.property(given.any, fc.nat(), (value, at) => {
        const cut = given.encode(value).subarray(0, at % given.encode(value).length);
        // Extras stand behind a dispatch: cut right before them it is that of an older program.
        if (given.name === 'to worker' && isRead(given, cut)) {
          expect([value, given.encode(given.decode(cut))]).toEqual([
            expect.objectContaining({ kind: 'dispatch' }),
            cut,
          ]);
          expect(given.decode(cut)).not.toHaveProperty('immediate');
        } else expect(isRead(given, cut)).toBe(false);
      }),
    );
  });
});

describe('A task spec', () => {
  test('of equal content has equal bytes, so that its digest is one', () => {
    const copy = structuredClone(fullSpec);
    expect(encodeSpec(copy)).toEqual(encodeSpec(fullSpec));
    expect(encodeSpec({ ...fullSpec, attempts: 4 })).not.toEqual(encodeSpec(fullSpec));
  });

  test('with a field of a later version is refused by its number', () => {
    const bytes = encodeSpec(smallSpec);
    expect(() => decodeSpec(new Uint8Array([...bytes, 99, 0]))).toThrow('unknown field 99');
  });

  test('with more in a field than the field holds is refused', () => {
    const attempts = new Uint8Array([1, 15, 2, 3, 0]);
    expect(() => decodeSpec(attempts)).toThrow('task spec, field 15: 1 bytes too many');
  });

  test('with a script or a text over its bound is refused when read', () => {
    const script = { kind: 'script' as const, name: 's', args: [] };
    const bytes = new Uint8Array(limits.scriptBytesMax);
    const largest = { ...smallSpec, run: { ...script, bytes } };
    expect(decodeSpec(encodeSpec(largest))).toEqual(largest);
    const larger = { ...script, bytes: new Uint8Array(limits.scriptBytesMax + 1) };
    expect(() => decodeSpec(encodeSpec({ ...smallSpec, run: larger }))).toThrow(DecodeError);
    expect(() => decodeSpec(encodeSpec({ ...smallSpec, cwd: textTooLong }))).toThrow(DecodeError);
  });

  test('holds no negative resource: a stale hint is written as nothing', () => {
    const request = { ...smallSpec.request, iops: -5 };
    expect(decodeSpec(encodeSpec({ ...smallSpec, request })).request.iops).toBe(0);
  });
});

const resourcesOf = (amount: number): Resources =>
  Object.fromEntries(resourceNames.map(name => [name, amount])) as Record<
    (typeof resourceNames)[number],
    number
  >;

describe('An advertisement', () => {
  test('over the size or the labels that gossip allows is refused', () => {
    const labels = Array.from({ length: limits.labelsMax + 1 }, (_, n) => [`${n}`, ''] as const);
    expect(() => decodeAdvertisement(encodeAdvertisement({ ...advertisement, labels }))).toThrow(
      'too many labels',
    );
    const large = new Uint8Array(limits.gossipBytesMax + 1);
    expect(() => decodeAdvertisement(large)).toThrow('too large');
  });

  test('with a name longer than a name may be is refused', () => {
    const name = 'n'.repeat(limits.nameBytesMax + 1);
    const bytes = encodeAdvertisement({ ...advertisement, name });
    expect(() => decodeAdvertisement(bytes)).toThrow(DecodeError);
  });

  test('has room for all that a leader may claim, whatever the names of tenants', () => {
    const claims = Array.from({ length: limits.claimedNodesMax }, (_, n) => ({
      node: `${n}`.padStart(64, 'n'),
      request: resourcesOf(2 ** 40 + n),
      tenant: `${Math.floor((n * limits.claimsMax) / limits.claimedNodesMax)}`.repeat(
        limits.nameBytesMax,
      ),
      urgent: false,
      boundMs: 1_700_000_000_000 + n,
    }));
    const all = { ...advertisement, demand: { urgent: 0, others: 300, claims } };
    expect(decodeAdvertisement(encodeAdvertisement(all))).toEqual(all);
  });

  test('tells of no more waiting tasks than its bound', () => {
    const telling = (count: number) => {
      const head = { tenant: 'a', tier: 'basic' as const, request: resourcesOf(1), boundMs: 1 };
      const heads = Array.from({ length: count }, () => head);
      return encodeAdvertisement({
        ...advertisement,
        demand: { urgent: 0, others: count, claims: [], heads },
      });
    };
    const { demand } = decodeAdvertisement(telling(limits.headsMax));
    expect(demand?.heads).toHaveLength(limits.headsMax);
    expect(() => decodeAdvertisement(telling(limits.headsMax + 1))).toThrow(DecodeError);
  });
});

describe('A message of the worker protocol', () => {
  test('asks about no more attempts than its bound', () => {
    const asks = (count: number) =>
      Array.from({ length: count }, () => ({ taskId: sampleId, fence: 1 }));
    const renew = (count: number) =>
      encodeFromWorker({ ...fromWorker['renew']!, kind: 'renew', asks: asks(count) } as never);
    expect(decodeFromWorker(renew(asksMax))).toMatchObject({ asks: asks(asksMax) });
    expect(() => decodeFromWorker(renew(asksMax + 1))).toThrow(DecodeError);
  });
});

describe('A command', () => {
  test('of a kind that this program does not know is told from damage', () => {
    const bytes = encodeShardCommand(commands['cancel']!);
    bytes[1] = 200;
    expect(() => decodeShardCommand(bytes)).toThrow('written by a newer version');
  });
});
