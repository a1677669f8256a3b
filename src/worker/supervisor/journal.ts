/**
 * Durable record of what the supervisor started and how it ended: `<data>/journal`, one line per
 * event, each with a checksum.
 *
 * An exit is reported to the node only after its line is on disk; exits that come together share
 * one fsync. Lines about starts and acknowledgements are written without one: what they say is lost
 * only with the whole machine, and then the attempts are gone as well. A line that does not match
 * its checksum (a torn tail after a power cut) is skipped: its attempt counts as lost.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Outcome } from '../../model/attempt.ts';
import type { AttemptKey, FoundAttempt } from '../../ports/runner.ts';

export type JournalLine =
  | { readonly kind: 'start'; readonly attempt: FoundAttempt }
  | { readonly kind: 'exit'; readonly key: AttemptKey; readonly outcome: Outcome }
  | { readonly kind: 'acknowledge'; readonly key: AttemptKey };

/** Least size at which the journal is rewritten with what is still needed. */
const compactBytes = 4 * 1024 * 1024;

const encodeLine = (line: JournalLine): string => {
  const text = JSON.stringify(line);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
};

function decodeLine(text: string): JournalLine | undefined {
  const body = text.slice(9);
  if (body === '' || text.slice(0, 8) !== crc32(body).toString(16).padStart(8, '0'))
    return undefined;
  return JSON.parse(body) as JournalLine;
}

/** What a journal left behind, oldest first; `outcome` is set where the exit was recorded. */
export function readJournal(path: string): FoundAttempt[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const attempts = new Map<AttemptKey, FoundAttempt>();
  for (const row of text.split('\n')) {
    const line = decodeLine(row);
    if (line?.kind === 'start') attempts.set(line.attempt.key, line.attempt);
    else if (line?.kind === 'acknowledge') attempts.delete(line.key);
    else if (line?.kind === 'exit') {
      const known = attempts.get(line.key);
      if (known === undefined) continue;
      attempts.set(line.key, { ...known, outcome: line.outcome });
    }
  }
  return [...attempts.values()];
}

function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

/**
 * Writes all of a text, or throws: a disk that is nearly full takes a part of a write and says so
 * by its length alone. Answers how many bytes that were.
 */
function writeAll(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; ) from += writeSync(fd, bytes, from);
  return bytes.length;
}

/** Writes a journal with just these attempts and puts it in the place of `path`, durably. */
function rewrite(path: string, attempts: readonly FoundAttempt[]): [fd: number, size: number] {
  const fd = openSync(`${path}.new`, 'w', 0o600);
  let text = '';
  for (const attempt of attempts) {
    const { outcome, ...start } = attempt;
    text += encodeLine({ kind: 'start', attempt: start });
    if (outcome !== undefined) text += encodeLine({ kind: 'exit', key: attempt.key, outcome });
  }
  const size = writeAll(fd, text);
  fdatasyncSync(fd);
  renameSync(`${path}.new`, path);
  syncDirectory(path);
  return [fd, size];
}

export class Journal {
  readonly #path: string;
  readonly #live: () => readonly FoundAttempt[];
  readonly #onFault: (error: Error) => void;
  #fd: number;
  #size: number;
  /** Size beyond which it is rewritten: where much is still needed, that must not be each time. */
  #compactAt = compactBytes;
  #lines = '';
  #syncing = false;
  #afterSync: (() => void)[] = [];
  #flushQueued = false;

  /**
   * `live` is asked for everything that must survive a rewrite. `onFault` has to end the process.
   */
  constructor(path: string, live: () => readonly FoundAttempt[], onFault: (error: Error) => void) {
    this.#path = path;
    this.#live = live;
    this.#onFault = onFault;
    [this.#fd, this.#size] = rewrite(path, live());
  }

  start(attempt: FoundAttempt): void {
    this.#append({ kind: 'start', attempt });
  }

  acknowledge(key: AttemptKey): void {
    this.#append({ kind: 'acknowledge', key });
  }

  /** Calls `durable` once the exit survives a power cut. */
  exit(key: AttemptKey, outcome: Outcome, durable: () => void): void {
    this.#append({ kind: 'exit', key, outcome });
    this.#afterSync.push(durable);
  }

  /** Writes what is gathered; to be called before an attempt is started. */
  flush(): void {
    if (this.#lines === '') return;
    this.#size += writeAll(this.#fd, this.#lines);
    this.#lines = '';
  }

  close(): void {
    this.flush();
    fdatasyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #append(line: JournalLine): void {
    this.#lines += encodeLine(line);
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    setImmediate(() => {
      this.#flushQueued = false;
      this.#turn();
    });
  }

  /** One write for all that came up, and one fsync at a time. */
  #turn(): void {
    this.flush();
    if (this.#syncing || this.#afterSync.length === 0) return;
    if (this.#size > this.#compactAt) this.#compact();
    const waiting = this.#afterSync;
    this.#afterSync = [];
    this.#syncing = true;
    fdatasync(this.#fd, error => {
      this.#syncing = false;
      // What a failed fsync left on disk is unknown: nothing may be reported on the strength of it.
      if (error !== null) return this.#onFault(error);
      for (const durable of waiting) durable();
      this.#turn();
    });
  }

  #compact(): void {
    const old = this.#fd;
    [this.#fd, this.#size] = rewrite(this.#path, this.#live());
    closeSync(old);
    this.#compactAt = Math.max(compactBytes, 2 * this.#size);
  }
}
