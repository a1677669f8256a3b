import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { FrameReader } from '../../../src/net/frame-reader.ts';
import { FrameWriter, type Stream } from '../../../src/net/frame-writer.ts';

/** The part of a stream that a writer uses; accepts `room` bytes, then asks to wait. */
class FakeStream extends EventTarget {
  readonly chunks: Uint8Array[] = [];
  room = Number.MAX_SAFE_INTEGER;
  writableNeedsDrain = false;
  writeBufferLength = 0;
  broken = false;
  aborted: Error | undefined;

  send(chunk: Uint8Array): boolean {
    if (this.broken) throw new Error('closed');
    this.chunks.push(chunk.slice());
    this.room -= chunk.length;
    if (this.room > 0) return true;
    this.writableNeedsDrain = true;
    return false;
  }

  drain(room: number): void {
    this.room = room;
    this.writableNeedsDrain = false;
    this.dispatchEvent(new Event('drain'));
  }

  abort(error: Error): void {
    this.aborted = error;
  }
}

function setUp(): { stream: FakeStream; writer: FrameWriter; at: (ms: number) => void } {
  const stream = new FakeStream();
  let nowMs = 0;
  const writer = new FrameWriter(stream as unknown as Stream, () => nowMs);
  return {
    stream,
    writer,
    at: ms => {
      nowMs = ms;
    },
  };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

function framesOf(stream: FakeStream): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader(limits.frameBytesMax, frame => frames.push(frame.slice()));
  for (const chunk of stream.chunks) reader.push(chunk);
  return frames;
}

describe('frame writer', () => {
  test('sends the small frames of one turn as one chunk', async () => {
    const { stream, writer } = setUp();
    for (let number = 0; number < 100; number++) writer.send(new Uint8Array(20).fill(number));
    expect(stream.chunks.length).toBe(0);
    await turn();
    expect(stream.chunks.length).toBe(1);
    expect(framesOf(stream).map(frame => frame[0])).toEqual([...Array(100).keys()]);
  });

  test('cuts frames of any size into chunks that join to the same bytes', async () => {
    const { stream, writer } = setUp();
    const sizes = [1, 61_430, 61_431, 61_436, 61_437, 3, 200_000, 61_440, 7];
    for (const [number, size] of sizes.entries()) {
      writer.send(new Uint8Array(size).fill(number + 1));
    }
    await turn();
    const frames = framesOf(stream);
    expect(frames.map(frame => frame.length)).toEqual(sizes);
    expect(frames.every((frame, at) => frame.every(byte => byte === at + 1))).toBe(true);
    expect(stream.chunks.every(chunk => chunk.length <= 60 * 1024)).toBe(true);
  });

  test('waits for drain and goes on where it stopped', async () => {
    const { stream, writer } = setUp();
    stream.room = 1;
    for (let number = 0; number < 5; number++) writer.send(new Uint8Array(50_000).fill(number));
    await turn();
    expect(stream.chunks.length).toBe(1);
    stream.drain(100_000);
    expect(stream.chunks.length).toBe(3);
    stream.drain(1_000_000);
    expect(framesOf(stream).map(frame => frame[0])).toEqual([0, 1, 2, 3, 4]);
  });

  test('refuses frames beyond the bound of the queue but takes a larger one alone', async () => {
    const { stream, writer } = setUp();
    stream.room = 1;
    expect(writer.send(new Uint8Array(limits.peerQueueBytesMax + 1))).toBe(true);
    expect(writer.send(new Uint8Array(1))).toBe(false);
    await turn();
    while (stream.writableNeedsDrain) stream.drain(Number.MAX_SAFE_INTEGER);
    expect(writer.send(new Uint8Array(1))).toBe(true);
    expect(writer.send(new Uint8Array(limits.frameBytesMax + 1))).toBe(false);
  });

  test('counts what the stream has not passed on yet as queued', () => {
    const { stream, writer } = setUp();
    stream.writeBufferLength = limits.peerQueueBytesMax;
    expect(writer.send(new Uint8Array(1))).toBe(false);
  });

  test('keeps a quiet stream alive with an empty frame, a busy one not', async () => {
    const { stream, writer, at } = setUp();
    at(500);
    expect(writer.tick(1_000, 10_000)).toBe(true);
    await turn();
    expect(stream.chunks.length).toBe(0);
    at(1_000);
    writer.tick(1_000, 10_000);
    await turn();
    expect(stream.chunks.map(chunk => [...chunk])).toEqual([[0, 0, 0, 0]]);
    at(1_500);
    writer.tick(1_000, 10_000);
    await turn();
    expect(stream.chunks.length).toBe(1);
  });

  test('tells that a stream has stalled once nothing left for long enough', async () => {
    const { stream, writer, at } = setUp();
    stream.room = 1;
    writer.send(new Uint8Array(10));
    await turn();
    writer.send(new Uint8Array(10));
    at(9_999);
    expect(writer.tick(1_000, 10_000)).toBe(true);
    at(10_000);
    expect(writer.tick(1_000, 10_000)).toBe(false);
  });

  test('aborts a stream that ended between two turns and takes no more frames', async () => {
    const { stream, writer } = setUp();
    writer.send(new Uint8Array(1));
    stream.broken = true;
    await turn();
    expect(stream.aborted?.message).toBe('closed');
    expect(writer.send(new Uint8Array(1))).toBe(false);
  });
});
