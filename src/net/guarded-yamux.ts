/**
 * Yamux, guarded against a way of its to end the process: it sends some frames where nobody can
 * catch what sending throws (a stream is opened in a microtask of its own, an abort sends a reset),
 * and a connection is closed for writing a moment before its muxer is told. Here a connection that
 * cannot be written to any more is aborted, which everybody hears who has a stream on it.
 */
import { yamux } from '@libp2p/yamux';
import { assert } from '../model/assert.ts';

type Component = ReturnType<typeof yamux>;

/** What is used of the inside of a muxer; `sendFrame` is not in its interface. */
interface MuxerInside {
  sendFrame?: (...args: unknown[]) => boolean;
  readonly maConn: { abort(error: Error): void };
  abort(error: Error): void;
}

function guard(muxer: MuxerInside): void {
  const sendFrame = muxer.sendFrame?.bind(muxer);
  assert(sendFrame !== undefined, 'yamux sends all its frames with sendFrame');
  let gone = false;
  muxer.sendFrame = (...args) => {
    if (gone) return true;
    try {
      return sendFrame(...args);
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
