/**
 * Reading request bodies: bounded in bytes, time and depth, valid UTF-8, and free of the keys that
 * reach a prototype. Written for the submit path, where a body is there with its head: one chunk
 * needs no timer and no copy.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { limits } from '../model/limits.ts';
import type { Intake } from './intake.ts';
import { ProblemError, problemOf, refuse } from './problem.ts';

export const jsonDepthMax = 32;

const [openBrace, closeBrace, openBracket, closeBracket, quote, backslash] = [
  0x7b, 0x7d, 0x5b, 0x5d, 0x22, 0x5c,
];

/** Whether JSON text nests deeper than allowed. Malformed text is left to the parser. */
export function tooDeep(bytes: Uint8Array, depthMax: number = jsonDepthMax): boolean {
  let depth = 0;
  for (let position = 0; position < bytes.length; position++) {
    const byte = bytes[position];
    if (byte === quote) {
      position++;
      while (position < bytes.length && bytes[position] !== quote) {
        position += bytes[position] === backslash ? 2 : 1;
      }
    } else if (byte === openBrace || byte === openBracket) {
      if (++depth > depthMax) return true;
    } else if (byte === closeBrace || byte === closeBracket) depth--;
  }
  return false;
}

/** Only text with one of these can name a dangerous key. An escape may spell one. */
const suspicious = /proto|constructor|\\u/;

const isPoisoned = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(isPoisoned);
  return Object.entries(value).some(
    ([key, inner]) =>
      key === '__proto__' ||
      (key === 'constructor' &&
        typeof inner === 'object' &&
        inner !== null &&
        Object.hasOwn(inner, 'prototype')) ||
      isPoisoned(inner),
  );
};

/** Parses JSON bytes, or throws a problem that says what is wrong. */
export function parseJson(bytes: Buffer, what = 'The body'): unknown {
  if (!isUtf8(bytes)) refuse('badRequest', `${what} is not valid UTF-8.`);
  if (tooDeep(bytes)) {
    refuse('badRequest', `${what} nests deeper than ${jsonDepthMax} levels.`);
  }
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    refuse('badRequest', `${what} is not valid JSON: ${(error as Error).message}.`);
  }
  if (suspicious.test(text) && isPoisoned(value)) {
    refuse('badRequest', `${what} holds the key __proto__ or constructor.prototype.`);
  }
  return value;
}

const tooLarge = (bytesMax: number): ProblemError =>
  new ProblemError(
    problemOf('tooLarge', `The body is over the limit of ${bytesMax} bytes for this request.`),
  );

/**
 * Receives bodies. One sweep for all gives up those that do not arrive, so that the usual request
 * costs no timer.
 */
export class BodyReceiver {
  readonly #intake: Intake;
  /** Room held for bodies whose requests are not answered yet. */
  readonly #held = new Map<IncomingMessage, number>();
  readonly #arriving = new Map<IncomingMessage, { readonly since: number; fail(): void }>();
  readonly #sweep: NodeJS.Timeout;

  /** A body that is not there after `timeoutMs` is given up, and its connection closed. */
  constructor(timeoutMs: number, intake: Intake) {
    this.#intake = intake;
    this.#sweep = setInterval(() => {
      const oldest = performance.now() - timeoutMs;
      for (const entry of this.#arriving.values()) if (entry.since < oldest) entry.fail();
    }, timeoutMs / 10);
    this.#sweep.unref();
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  /**
   * For a request that is answered before its body was read: the rest is read and thrown away,
   * since a connection closed under a client that still sends can cost it the answer; but not for
   * ever.
   */
  drain(request: IncomingMessage): void {
    if (request.complete || request.destroyed) return;
    const forget = (): void => {
      this.#arriving.delete(request);
    };
    this.#arriving.set(request, { since: performance.now(), fail: () => request.destroy() });
    request.once('end', forget).once('close', forget).once('error', forget).resume();
  }

  #hold(request: IncomingMessage, bytes: number): void {
    this.#intake.take(bytes);
    this.#held.set(request, (this.#held.get(request) ?? 0) + bytes);
  }

  /** The request is answered, or its client is gone: its body takes no room any more. */
  release(request: IncomingMessage): void {
    const bytes = this.#held.get(request);
    if (bytes === undefined) return;
    this.#held.delete(request);
    this.#intake.give(bytes);
  }

  /**
   * Collects a body of at most `bytesMax` bytes; fails with `tooLarge` or `badRequest`, or with
   * `overloaded` where there is no room. The room is held until `release`.
   */
  async receive(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > bytesMax) throw tooLarge(bytesMax);
    if (announced > 0) this.#hold(request, announced);
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const end = (error?: Error): void => {
        this.#arriving.delete(request);
        request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
        if (error !== undefined) reject(error);
        else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
      };
      const onData = (chunk: Buffer): void => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > bytesMax) end(tooLarge(bytesMax));
        if (length > bytesMax || announced > 0) return;
        try {
          // Sent in chunks, of a length that nobody knows before.
          this.#hold(request, chunk.length);
        } catch (error) {
          end(error as Error);
        }
      };
      const onEnd = (): void => end();
      const incomplete = (): Error =>
        new ProblemError(problemOf('badRequest', 'The body ended before it was complete.'));
      const onError = (): void => end(incomplete());
      const onClose = (): void => end(incomplete());
      this.#arriving.set(request, { since: performance.now(), fail: () => request.destroy() });
      request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    });
  }
}

/**
 * Bytes of one HTTP document that holds one task: JSON may need several bytes for one of a script.
 */
export const taskDocumentBytesMax = limits.specBytesMax * 4;
