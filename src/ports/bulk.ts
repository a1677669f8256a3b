/**
 * Streams between nodes, for what is too large for frames: each carries messages in both
 * directions, in order and whole, until one side ends it or it breaks. A stream that breaks loses
 * what is under way, and both sides learn of it; there is no resuming.
 *
 * Nothing holds a sender back but its own network: what is built on top has to agree on how much
 * may be under way. A receiver that is sent more than `limits.bulkMessagesMax` messages ahead of
 * what it has read gives the stream up.
 */
import type { NodeId } from '../model/ids.ts';

export interface BulkStream {
  /** The proven other side. */
  readonly peer: NodeId;
  /**
   * Sends 1 to `limits.bulkMessageBytesMax` bytes. Resolves when there is room for the next
   * message; the buffer belongs to the stream afterwards. Rejects with `nodeUnreachable` once the
   * stream is broken or ended here.
   */
  send(message: Uint8Array): Promise<void>;
  /**
   * The next message, one call at a time; `undefined` where the other side has ended the stream.
   * Rejects with `nodeUnreachable` where it is broken.
   */
  next(): Promise<Uint8Array | undefined>;
  /** Ends the stream in order: what was sent still arrives. Nothing is read any more. */
  end(): void;
  /** Breaks the stream at once, for both sides. */
  abort(): void;
}

export interface BulkTransport {
  /** `onStream` takes every stream that a peer opens. */
  start(onStream: (stream: BulkStream) => void): Promise<void>;
  /** Rejects with `nodeUnreachable` where there is no connection to the peer. */
  open(peer: NodeId): Promise<BulkStream>;
  /** Breaks all streams; none is opened any more. */
  stop(): Promise<void>;
}
