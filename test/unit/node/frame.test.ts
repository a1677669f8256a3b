/** Frames and descriptors: golden bytes, round trips and bytes that nobody wrote. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../src/model/bytes.ts';
import { limits } from '../../../src/model/limits.ts';
import {
  decodeDescriptor,
  decodeMembers,
  encodeDescriptor,
  encodeMembers,
  storeMark,
} from '../../../src/node/descriptor.ts';
import { decodeReplies } from '../../../src/node/forwarded.ts';
import { type FrameSink, FrameWriter, readFrame } from '../../../src/node/frame.ts';
import { type Message, newMessage } from '../../../src/raft/message.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const append: Message = {
  ...newMessage('MsgApp', 5, 6, 7, 8, 4),
  commit: 2,
  entries: [{ term: 7, index: 9, type: 0, data: Uint8Array.of(1, 2) }],
};

function writeAll(writer: FrameWriter): void {
  writer.raft(3, 0x01020304, append);
  writer.request(300, 'list', Uint8Array.of(9));
  writer.response(300, 'notLeader', new Uint8Array(0));
  writer.toWorker(Uint8Array.of(1));
  writer.fromWorker(Uint8Array.of(2));
  writer.advert(Uint8Array.of(3));
}

const goldenFrame =
  '0101030102030401000806050704080201070002010202ac02046c697374010903ac02096e6f744c6561646572' +
  '00040101050102060103';

function collect(frame: Uint8Array): unknown[][] {
  const seen: unknown[][] = [];
  const note =
    (what: string) =>
    (...args: unknown[]): void => {
      seen.push([what, ...args]);
    };
  const sink: FrameSink = {
    raft: note('raft'),
    request: note('request'),
    response: note('response'),
    toWorker: note('toWorker'),
    fromWorker: note('fromWorker'),
    advert: note('advert'),
  };
  readFrame(frame, sink);
  return seen;
}

/** Reads what nobody wrote: anything but a `DecodeError` fails the test. */
function survives(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
  }
}

describe('a frame', () => {
  test('has the bytes that other nodes of this version read', () => {
    const writer = new FrameWriter();
    writeAll(writer);
    expect(hex(writer.take()!)).toBe(goldenFrame);
    expect(writer.take()).toBeUndefined();
    expect(writer.length).toBe(0);
  });

  test('comes back section by section, in order', () => {
    expect(collect(unhex(goldenFrame))).toEqual([
      ['raft', 3, 0x01020304, append],
      ['request', 300, 'list', Uint8Array.of(9)],
      ['response', 300, 'notLeader', new Uint8Array(0)],
      ['toWorker', Uint8Array.of(1)],
      ['fromWorker', Uint8Array.of(2)],
      ['advert', Uint8Array.of(3)],
    ]);
  });

  test('hands out copies: the buffer it came in is used again', () => {
    const frame = unhex(goldenFrame);
    const seen = collect(frame);
    const before = JSON.stringify(seen);
    frame.fill(0xee);
    expect(JSON.stringify(seen)).toBe(before);
  });

  test('of another version or with an unknown section is refused', () => {
    expect(() => collect(Uint8Array.of(2))).toThrow(DecodeError);
    expect(() => collect(Uint8Array.of(1, 7))).toThrow(DecodeError);
    expect(() => collect(new Uint8Array(0))).toThrow(DecodeError);
  });

  test('cut short anywhere is refused, or ends between two sections', () => {
    const whole = unhex(goldenFrame);
    let clean = 0;
    for (let length = 1; length < whole.length; length++) {
      try {
        collect(whole.subarray(0, length));
        clean++;
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
    // After the version and after each section but the last.
    expect(clean).toBe(6);
  });

  test('with an advertisement over its bound is refused', () => {
    const writer = new FrameWriter();
    writer.advert(new Uint8Array(limits.gossipBytesMax + 1));
    expect(() => collect(writer.take()!)).toThrow(DecodeError);
  });

  test('of random bytes, or with some bytes changed, is only ever refused as unreadable', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        survives(() => collect(bytes));
        survives(() => collect(Uint8Array.of(1, ...bytes)));
        survives(() => collect(Uint8Array.of(1, 1, 3, 0, 0, 0, 0, ...bytes)));
      }),
      { numRuns: 2_000 },
    );
    const whole = unhex(goldenFrame);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        changes => {
          const bytes = whole.slice();
          for (const [place, value] of changes) bytes[place] = value;
          survives(() => collect(bytes));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

const members = [
  { replicaId: 5, node: 'n1', storeId: 's1' },
  { replicaId: 300, node: 'n2', storeId: '' },
];
const descriptor = {
  replicaId: 5,
  confIndex: 1_000,
  conf: {
    voters: [5],
    votersOutgoing: [5, 6],
    learners: [7],
    learnersNext: [8],
    autoLeave: true,
  },
  members,
};
const goldenMembers = '010205026e31027331ac02026e3200';
const goldenDescriptor = '0105e807010502050601070108010205026e31027331ac02026e3200';

describe('a group descriptor', () => {
  test('has the bytes that stand on disks, and comes back from them', () => {
    expect(hex(encodeDescriptor(descriptor))).toBe(goldenDescriptor);
    expect(decodeDescriptor(unhex(goldenDescriptor))).toEqual(descriptor);
    expect(hex(encodeMembers(members))).toBe(goldenMembers);
    expect(decodeMembers(unhex(goldenMembers))).toEqual(members);
    expect(decodeMembers(new Uint8Array(0))).toEqual([]);
  });

  test('marks a store by the same 32 bits everywhere', () => {
    expect(storeMark('store-1')).toBe(0x489ec803);
  });

  test('of random bytes is only ever refused as unreadable', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        survives(() => decodeDescriptor(bytes));
        survives(() => decodeDescriptor(Uint8Array.of(1, ...bytes)));
        survives(() => decodeMembers(Uint8Array.of(1, ...bytes)));
        survives(() => decodeReplies(Uint8Array.of(1, ...bytes)));
      }),
      { numRuns: 2_000 },
    );
  });
});
