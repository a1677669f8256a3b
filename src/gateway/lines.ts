/**
 * Splits a stream of bytes into lines, bounded, the lines that are at hand together in one list.
 */
import type { Readable } from 'node:stream';

export type LineReading =
  | { readonly kind: 'line'; readonly number: number; readonly bytes: Buffer }
  /** Over the bound: nothing after it is read. */
  | { readonly kind: 'tooLong'; readonly number: number }
  /** There was no room for it while it came: nothing after it is read. */
  | { readonly kind: 'noRoom'; readonly number: number; readonly error: unknown };

export interface LineBounds {
  readonly lineBytesMax: number;
  /** Most lines in one list. */
  readonly linesMax: number;
  /** Holds what has come of a line that is not whole yet; `take` throws where it has no room. */
  readonly room: { take(bytes: number): void; give(bytes: number): void };
}

/** So much of a line costs no more than its connection: it takes no room. */
const freeBytes = 16 * 1024;

const newline = 0x0a;

const isBlank = (bytes: Buffer): boolean =>
  bytes.every(byte => byte === 0x20 || byte === 0x09 || byte === 0x0d);

/**
 * Lists of lines, numbered from 1; blank lines are left out but counted. The last line needs no
 * newline. The stream is left open, so that an answer can still be sent beside it.
 */
export async function* readLines(
  stream: Readable,
  bounds: LineBounds,
): AsyncGenerator<LineReading[], void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let number = 0;
  let held = 0;
  let lines: LineReading[] = [];
  const hold = (): void => {
    const wanted = pendingBytes > freeBytes ? pendingBytes : 0;
    if (wanted > held) bounds.room.take(wanted - held);
    else bounds.room.give(held - wanted);
    held = wanted;
  };
  const endLine = (): void => {
    number++;
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    if (bytes.length > bounds.lineBytesMax) lines.push({ kind: 'tooLong', number });
    else if (!isBlank(bytes)) lines.push({ kind: 'line', number, bytes });
  };
  try {
    for await (const chunk of chunksOf(stream)) {
      let from = 0;
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
        pending.push(chunk.subarray(from, at));
        from = at + 1;
        endLine();
        if (isLast(lines)) break;
        if (lines.length >= bounds.linesMax) {
          yield lines;
          lines = [];
        }
      }
      if (!isLast(lines)) {
        pending.push(chunk.subarray(from));
        pendingBytes += chunk.length - from;
        if (pendingBytes > bounds.lineBytesMax) endLine();
        try {
          hold();
        } catch (error) {
          lines.push({ kind: 'noRoom', number: number + 1, error });
        }
      }
      if (lines.length > 0) yield lines;
      if (isLast(lines)) return;
      lines = [];
    }
    if (pendingBytes > 0) endLine();
    if (lines.length > 0) yield lines;
  } finally {
    bounds.room.give(held);
  }
}

const isLast = (lines: readonly LineReading[]): boolean =>
  lines.length > 0 && lines.at(-1)?.kind !== 'line';

const chunksOf = (stream: Readable): AsyncIterable<Buffer> =>
  stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
