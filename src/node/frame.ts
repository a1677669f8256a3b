/**
 * One frame from one node to another: everything that a turn of the drive loop has for it. Sections
 * may come in any number and order; an unknown section or version makes the frame unreadable, and
 * the receiver drops it whole.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';
import { limits } from '../model/limits.ts';
import { decodeMessage, encodeMessage } from '../raft/codec.ts';
import type { Message } from '../raft/message.ts';
import { wireRange } from './wire-version.ts';

/** Section numbers are append-only. */
const section = {
  raft: 1,
  request: 2,
  response: 3,
  toWorker: 4,
  fromWorker: 5,
  advert: 6,
} as const;

export interface FrameSink {
  /** `toStore` marks the store that the receiving replica was made for; 0 where not known. */
  raft(group: number, toStore: number, message: Message): void;
  request(id: number, method: string, payload: Uint8Array): void;
  /** `code` is empty for a success. */
  response(id: number, code: string, payload: Uint8Array): void;
  toWorker(message: Uint8Array): void;
  fromWorker(message: Uint8Array): void;
  advert(message: Uint8Array): void;
}

/** A buffer that grew beyond this is given back when its frame has left. */
const keptBytesMax = 256 * 1024;

/** Collects what goes to one peer. */
export class FrameWriter {
  /** Of the frames that begin from now on. */
  version = wireRange.version;
  #writer = new ByteWriter(1024);

  #section(kind: number): ByteWriter {
    if (this.#writer.length === 0) this.#writer.u8(this.version);
    return this.#writer.u8(kind);
  }

  get length(): number {
    return this.#writer.length;
  }

  raft(group: number, toStore: number, message: Message): void {
    encodeMessage(this.#section(section.raft).varint(group).u32(toStore), message);
  }

  request(id: number, method: string, payload: Uint8Array): void {
    this.#section(section.request).varint(id).text(method).bytes(payload);
  }

  response(id: number, code: string, payload: Uint8Array): void {
    this.#section(section.response).varint(id).text(code).bytes(payload);
  }

  toWorker(message: Uint8Array): void {
    this.#section(section.toWorker).bytes(message);
  }

  fromWorker(message: Uint8Array): void {
    this.#section(section.fromWorker).bytes(message);
  }

  advert(message: Uint8Array): void {
    this.#section(section.advert).bytes(message);
  }

  /** The frame, or `undefined` where nothing was written; the writer is empty afterwards. */
  take(): Uint8Array | undefined {
    if (this.#writer.length === 0) return undefined;
    const frame = this.#writer.finish();
    if (frame.length > keptBytesMax) this.#writer = new ByteWriter(1024);
    else this.#writer.reset();
    return frame;
  }
}

/** Reads a whole frame into `sink`; throws `DecodeError` at the first byte that is wrong. */
export function readFrame(bytes: Uint8Array, sink: FrameSink, range = wireRange): void {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version < range.minVersion || version > range.version) {
    throw new DecodeError(
      `frame: version ${version}, this program reads ${range.minVersion} to ${range.version}`,
    );
  }
  while (reader.remaining > 0) {
    const kind = reader.u8();
    switch (kind) {
      case section.raft: {
        const group = reader.varint();
        const toStore = reader.u32();
        sink.raft(group, toStore, decodeMessage(reader));
        break;
      }
      case section.request:
        sink.request(reader.varint(), reader.text(64), reader.bytesCopy(limits.rpcBytesMax));
        break;
      case section.response:
        sink.response(reader.varint(), reader.text(64), reader.bytesCopy(limits.rpcBytesMax));
        break;
      case section.toWorker:
        sink.toWorker(reader.bytesCopy(limits.rpcBytesMax));
        break;
      case section.fromWorker:
        sink.fromWorker(reader.bytesCopy(limits.rpcBytesMax));
        break;
      case section.advert:
        sink.advert(reader.bytesCopy(limits.gossipBytesMax));
        break;
      default:
        throw new DecodeError(`frame: unknown section ${kind}`);
    }
  }
}
