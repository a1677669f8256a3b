/**
 * Bounded queue of frames in front of one outbound stream. Frames handed over in one turn of the
 * event loop leave as one chunk: every chunk is encrypted twice and answered with a window update,
 * so that their number is what the throughput hangs on. When the stream is full the queue waits for
 * `drain`; when the queue is full frames are refused.
 */
import type { Libp2p } from 'libp2p';
import { limits } from '../model/limits.ts';
import { frameHeaderBytes } from './protocols.ts';

export type Connection = Awaited<ReturnType<Libp2p['dial']>>;
export type Stream = Awaited<ReturnType<Connection['newStream']>>;

/** A chunk this large fits one noise message together with the muxer's header. */
const chunkBytesMax = 60 * 1024;

export class FrameWriter {
  readonly stream: Stream;
  readonly #nowMs: () => number;
  #queue: Uint8Array[] = [];
  #head = 0;
  /** Bytes of the frame at the head, its header included, that are already written. */
  #headWritten = 0;
  /** Bytes not yet given to the stream, headers included. */
  #queuedBytes = 0;
  #scheduled = false;
  #closed = false;
  #lastWriteMs: number;

  constructor(stream: Stream, nowMs: () => number) {
    this.stream = stream;
    this.#nowMs = nowMs;
    this.#lastWriteMs = nowMs();
    stream.addEventListener('drain', () => this.#flush());
  }

  /** False where the queue is full. A frame alone in the queue may be larger than the bound. */
  send(frame: Uint8Array): boolean {
    const bytes = frameHeaderBytes + frame.length;
    const waiting = this.#queuedBytes + this.stream.writeBufferLength;
    if (this.#closed || frame.length > limits.frameBytesMax) return false;
    if (waiting > 0 && waiting + bytes > limits.peerQueueBytesMax) return false;
    this.#queue.push(frame);
    this.#queuedBytes += bytes;
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => this.#flush());
    }
    return true;
  }

  /** Called now and then: keeps a quiet stream alive. False once it takes nothing any more. */
  tick(keepAliveMs: number, stalledMs: number): boolean {
    const quietMs = this.#nowMs() - this.#lastWriteMs;
    if (this.#queuedBytes === 0) {
      if (quietMs >= keepAliveMs) this.send(new Uint8Array(0));
      return true;
    }
    this.#flush();
    return quietMs < stalledMs;
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
  }

  #flush(): void {
    this.#scheduled = false;
    while (!this.#closed && this.#queuedBytes > 0 && !this.stream.writableNeedsDrain) {
      const chunk = this.#takeChunk();
      this.#lastWriteMs = this.#nowMs();
      try {
        if (!this.stream.send(chunk)) return;
      } catch (error) {
        // The stream ended between two turns; aborting makes it say so to whoever listens.
        this.close();
        this.stream.abort(error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
  }

  #takeChunk(): Uint8Array {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytesMax, this.#queuedBytes));
    let at = 0;
    while (at < chunk.length) {
      const frame = this.#queue[this.#head];
      if (frame === undefined) break;
      if (this.#headWritten === 0) {
        // A header is never split: what is left of the chunk is given back instead.
        if (chunk.length - at < frameHeaderBytes) break;
        chunk.writeUInt32BE(frame.length, at);
        at += frameHeaderBytes;
        this.#headWritten = frameHeaderBytes;
      }
      const from = this.#headWritten - frameHeaderBytes;
      const count = Math.min(frame.length - from, chunk.length - at);
      chunk.set(frame.subarray(from, from + count), at);
      at += count;
      this.#headWritten += count;
      if (this.#headWritten === frameHeaderBytes + frame.length) this.#dropHead();
    }
    this.#queuedBytes -= at;
    return at === chunk.length ? chunk : chunk.subarray(0, at);
  }

  #dropHead(): void {
    this.#headWritten = 0;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
