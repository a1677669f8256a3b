/**
 * Cuts a byte stream into frames. A frame that lies whole inside one chunk is handed out as a view
 * of it; only one that spans chunks is copied. A length over the bound throws `DecodeError`: the
 * stream has lost its framing and must be closed.
 */
import { DecodeError } from '../model/bytes.ts';
import { frameHeaderBytes } from './protocols.ts';

export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerFill = 0;
  #body: Uint8Array | undefined;
  #bodyFill = 0;

  /** `onFrame` gets a view that is valid during the call only; keep-alives are not handed out. */
  constructor(frameBytesMax: number, onFrame: (frame: Uint8Array) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== undefined) at = this.#fillBody(this.#body, chunk, at);
      else if (this.#headerFill === 0 && chunk.length - at >= frameHeaderBytes) {
        at = this.#begin(readLength(chunk, at), chunk, at + frameHeaderBytes);
      } else at = this.#fillHeader(chunk, at);
    }
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const count = Math.min(frameHeaderBytes - this.#headerFill, chunk.length - at);
    this.#header.set(chunk.subarray(at, at + count), this.#headerFill);
    this.#headerFill += count;
    if (this.#headerFill < frameHeaderBytes) return at + count;
    this.#headerFill = 0;
    return this.#begin(readLength(this.#header, 0), chunk, at + count);
  }

  #begin(length: number, chunk: Uint8Array, at: number): number {
    if (length > this.#frameBytesMax) {
      throw new DecodeError(`frame of ${length} bytes, at most ${this.#frameBytesMax} allowed`);
    }
    if (length === 0) return at;
    if (chunk.length - at >= length) {
      this.#onFrame(chunk.subarray(at, at + length));
      return at + length;
    }
    this.#body = new Uint8Array(length);
    this.#bodyFill = 0;
    return this.#fillBody(this.#body, chunk, at);
  }

  #fillBody(body: Uint8Array, chunk: Uint8Array, at: number): number {
    const count = Math.min(body.length - this.#bodyFill, chunk.length - at);
    body.set(chunk.subarray(at, at + count), this.#bodyFill);
    this.#bodyFill += count;
    if (this.#bodyFill === body.length) {
      this.#body = undefined;
      this.#onFrame(body);
    }
    return at + count;
  }
}

function readLength(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, frameHeaderBytes).getUint32(0);
}
