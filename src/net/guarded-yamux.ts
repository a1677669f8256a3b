/**
 * Yamux, guarded against a way of its to end the process: it sends some frames where nobody can
 * catch what sending throws (a stream is opened in a microtask of its own, an abort sends a reset),
 * and a connection is closed for writing a moment before its muxer is told. Here a connection that
 * cannot be written to any more is aborted, which everybody hears who has a stream on it.
 *
 * It also tells the other side after every piece of data, however small, that this side has taken
 * it: a packet, encrypted and sent, for each packet. Here that is saved up until it is worth one. A
 * stream then still has half of its first window (256 KiB), so that nobody waits for what is saved.
 */
import { yamux } from '@libp2p/yamux';
import { assert } from '../model/assert.ts';

type Component = ReturnType<typeof yamux>;

/** As in the specification of Yamux. */
interface FrameHeader {
  readonly type: number;
  readonly flag: number;
  readonly streamID: number;
  /** Of a window update: the bytes by which the window grows. */
  readonly length: number;
}

const windowUpdate = 1;
/** Flags after which nothing more is sent on a stream: FIN and RST. */
const endFlags = 0x4 | 0x8;
/** Half of the window that a stream begins with. */
const updateBytesMin = 128 * 1024;

type SendFrame = (header: FrameHeader, body?: unknown) => boolean;

/** What is used of the inside of a muxer; `sendFrame` is not in its interface. */
interface MuxerInside {
  sendFrame?: SendFrame;
  readonly maConn: { abort(error: Error): void };
  abort(error: Error): void;
}

/** Sends a window update once `updateBytesMin` have come together on its stream. */
function savingUpdates(send: SendFrame): SendFrame {
  const saved = new Map<number, number>();
  return (header, body) => {
    const { type, flag, streamID } = header;
    if ((flag & endFlags) !== 0) saved.delete(streamID);
    // One with a flag opens, acknowledges or ends a stream.
    if (type !== windowUpdate || flag !== 0) return send(header, body);
    const length = header.length + (saved.get(streamID) ?? 0);
    if (length < updateBytesMin) {
      saved.set(streamID, length);
      return true;
    }
    saved.delete(streamID);
    return send({ ...header, length });
  };
}

function guard(muxer: MuxerInside): void {
  const original = muxer.sendFrame?.bind(muxer);
  assert(original !== undefined, 'yamux sends all its frames with sendFrame');
  const sendFrame = savingUpdates(original);
  let gone = false;
  muxer.sendFrame = (header, body) => {
    if (gone) return true;
    try {
      return sendFrame(header, body);
    } catch (cause) {
      gone = true;
      const error = cause instanceof Error ? cause : new Error(String(cause));
      muxer.abort(error);
      muxer.maConn.abort(error);
      return true;
    }
  };
}

/** As `yamux`; a connection that broke fails by itself, not with the process. */
export function guardedYamux(...init: Parameters<typeof yamux>): Component {
  const component = yamux(...init);
  return (...args) => {
    const factory = component(...args);
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = connection => {
      const muxer = create(connection);
      guard(muxer as unknown as MuxerInside);
      return muxer;
    };
    return factory;
  };
}
