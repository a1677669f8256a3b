import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, DecodeError } from '../../../src/model/bytes.ts';
import {
  decodeConfChange,
  decodeMessage,
  encodeConfChange,
  encodeMessage,
} from '../../../src/raft/codec.ts';
import { RaftFatal } from '../../../src/raft/fatal.ts';
import { type Message, newMessage } from '../../../src/raft/message.ts';
import { bytes } from './group.ts';

function encoded(message: Message): Uint8Array {
  const writer = new ByteWriter();
  encodeMessage(writer, message);
  return writer.finish();
}

const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');
const number = fc.maxSafeNat();
const ids = fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 5 });
const conf = fc.record({
  ...{ voters: ids, votersOutgoing: ids, learners: ids, learnersNext: ids },
  autoLeave: fc.boolean(),
});
const message: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom('MsgApp', 'MsgAppResp', 'MsgVote', 'MsgVoteResp', 'MsgHeartbeatResp'),
    ...{ to: number, from: number, term: number, logTerm: number, commit: number },
    index: fc.integer({ min: 0, max: 1e12 }),
    payloads: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
    reject: fc.boolean(),
    rejectHint: number,
    readCtr: number,
    transfer: fc.boolean(),
    snapshot: fc.option(fc.record({ index: number, term: number, conf }), { nil: undefined }),
  })
  .map(({ payloads, rejectHint, ...rest }) => {
    const entries = payloads.map((data, at) => {
      return { term: rest.term, index: rest.index + 1 + at, type: (at % 3) as 0 | 1 | 2, data };
    });
    return { ...rest, rejectHint: rest.reject ? rejectHint : 0, entries } as Message;
  });

describe('message codec', () => {
  test('every message survives', () => {
    fc.assert(
      fc.property(message, original => {
        const reader = new ByteReader(encoded(original));
        expect(decodeMessage(reader)).toEqual(original);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  test('the bytes of format 1 stay what they are', () => {
    const append = newMessage('MsgApp', 2, 3, 7, 300, 6);
    append.commit = 299;
    append.entries = [{ term: 7, index: 301, type: 2, data: bytes('hi') }];
    expect(hex(encoded(append))).toBe('01000803020706ac02ab02010702026869');
    const refusal = newMessage('MsgAppResp', 3, 2, 7, 300, 5);
    refusal.reject = true;
    refusal.rejectHint = 200;
    expect(hex(encoded(refusal))).toBe('01010102030705ac0200c801');
    const beat = newMessage('MsgHeartbeat', 1, 2, 7);
    beat.readCtr = 9;
    expect(hex(encoded(beat))).toBe('01061002010700000009');
    expect(
      hex(
        encodeConfChange({
          transition: 'implicit',
          changes: [
            { kind: 'addLearner', id: 4 },
            { kind: 'remove', id: 2 },
          ],
          context: bytes('c'),
        }),
      ),
    ).toBe('010102010402020163');
  });

  test('entry data is a copy of the frame it came in', () => {
    const append = newMessage('MsgApp', 1, 2, 1);
    append.entries = [{ term: 1, index: 1, type: 0, data: bytes('abc') }];
    const frame = encoded(append);
    const decoded = decodeMessage(new ByteReader(frame));
    frame.fill(0);
    expect(decoded.entries[0]?.data).toEqual(bytes('abc'));
  });

  test('cut or foreign bytes are refused, never misread', () => {
    const append = newMessage('MsgApp', 1, 2, 1);
    append.entries = [{ term: 1, index: 1, type: 0, data: bytes('abc') }];
    const frame = encoded(append);
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeMessage(new ByteReader(frame.slice(0, length)))).toThrow(DecodeError);
    }
    const broken = (at: number, value: number) => () =>
      decodeMessage(new ByteReader(frame.with(at, value)));
    expect(broken(0, 2)).toThrow(/version/);
    expect(broken(1, 99)).toThrow(/unknown type/);
    expect(broken(2, 0x80)).toThrow(/unknown flags/);
  });

  test('random bytes give a message or a DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), data => {
        try {
          decodeMessage(new ByteReader(Uint8Array.from([1, ...data])));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('refuses to write entries with a gap', () => {
    const append = newMessage('MsgApp', 1, 2, 1);
    append.entries = [{ term: 1, index: 5, type: 0, data: bytes('') }];
    expect(() => encoded(append)).toThrow(RaftFatal);
  });
});

describe('membership change codec', () => {
  test('every change survives; leaving the joint phase is empty', () => {
    const change = fc.record({
      transition: fc.constantFrom('auto', 'implicit', 'explicit'),
      changes: fc.array(
        fc.record({
          kind: fc.constantFrom('addVoter', 'addLearner', 'remove', 'update'),
          id: fc.integer({ min: 1, max: 1e9 }),
        }),
        { maxLength: 6 },
      ),
      context: fc.uint8Array({ maxLength: 20 }),
    });
    fc.assert(
      fc.property(change, original => {
        expect(decodeConfChange(encodeConfChange(original))).toEqual(original);
      }),
    );
    const leave = { transition: 'auto' as const, changes: [], context: new Uint8Array(0) };
    expect(encodeConfChange(leave)).toHaveLength(0);
  });

  test('trailing and unknown bytes are refused', () => {
    const data = encodeConfChange({
      ...{ transition: 'auto', changes: [{ kind: 'remove', id: 2 }], context: bytes('') },
    });
    expect(() => decodeConfChange(Uint8Array.from([...data, 0]))).toThrow(/too many/);
    expect(() => decodeConfChange(data.with(1, 7))).toThrow(/transition/);
    expect(() => decodeConfChange(data.with(3, 9))).toThrow(/operation/);
  });
});
