/**
 * Files of the attempts on this node, `<data>/attempts/<key>/`: `stdout`, `stderr`, the script, and
 * `work`, the directory an attempt starts in unless it names one.
 *
 * Output is opened before exec with O_APPEND and written by the process itself, so neither the
 * node's nor the supervisor's death loses a line. Kept are the newest 10,000 attempts or 1 GiB; the
 * directory of an attempt that goes is used again for a new one, since making inodes is what costs.
 * An attempt that wrote nothing keeps no directory at all: one more name of an empty file,
 * `.none-<key>`, says that there was no output.
 * What a task may have done to its files is the business of `task-files.ts`.
 */
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { limits } from '../../model/limits.ts';
import type { AttemptKey } from '../../ports/runner.ts';
import {
  entriesOf,
  fileSize,
  isCausedByTask,
  isDirectory,
  removeTree,
  truncateFile,
  withFile,
} from './task-files.ts';

const keptAttemptsMax = 10_000;
const keptBytesMax = 1024 * 1024 * 1024;
/** Directories of removed attempts that are kept ready. */
const spareMax = 64;

export interface OutputSizes {
  readonly stdout: number;
  readonly stderr: number;
}

/** Paths of the output files, which the process makes when it opens them. */
export interface OutputFiles {
  readonly stdout: string;
  readonly stderr: string;
}

/** The empty file, and what begins its further names, one for each attempt without output. */
const noneName = '.none';
const nonePrefix = `${noneName}-`;

/** Path that is there for an ended attempt without output, which has no directory. */
export const noOutputPath = (root: string, key: AttemptKey): string =>
  join(root, `${nonePrefix}${key}`);

const fixedNames = new Set(['stdout', 'stderr', 'work']);
/** No script is written under these. */
const ownNames = new Set([...fixedNames, 'output', 'inputs']);

/** Attempt keys name directories: nothing that could leave `attempts` passes. */
export const isSafeKey = (key: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/.test(key);

export class AttemptFiles {
  readonly #root: string;
  readonly #onFault: (error: unknown) => void;
  readonly #held: boolean;
  /** Ended attempts, oldest first, with the size of their output. */
  readonly #kept = new Map<AttemptKey, number>();
  #keptBytes = 0;
  #spare: string[] = [];
  #spareCount = 0;

  /**
   * All attempts found count as ended. `held` says that nothing of an ended attempt can live on and
   * write to its files, which may then be used again at once.
   */
  constructor(root: string, held: boolean, onFault: (error: unknown) => void) {
    this.#root = root;
    this.#held = held;
    this.#onFault = onFault;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    closeSync(openSync(join(root, noneName), 'w', 0o600));
    this.#scan();
  }

  directory(key: AttemptKey): string {
    return join(this.#root, key);
  }

  work(key: AttemptKey): string {
    return join(this.#root, key, 'work');
  }

  /** Makes the directory, with empty output files or none. */
  create(key: AttemptKey): OutputFiles {
    const directory = this.directory(key);
    const spare = this.#spare.pop();
    if (spare !== undefined) renameSync(spare, directory);
    else {
      mkdirSync(directory, { mode: 0o700 });
      mkdirSync(join(directory, 'work'), { mode: 0o700 });
    }
    return { stdout: `${directory}/stdout`, stderr: `${directory}/stderr` };
  }

  /** Makes the output files of an attempt whose process never came to open them. */
  complete(key: AttemptKey): void {
    const directory = this.directory(key);
    for (const name of ['stdout', 'stderr']) {
      const flags = constants.O_WRONLY | constants.O_CREAT;
      withFile(join(directory, name), { flags }, () => undefined);
    }
  }

  /** Writes a script, executable for its owner only; returns its path, which ends in `name`. */
  writeScript(key: AttemptKey, name: string, bytes: Uint8Array): string {
    const base = basename(name).replaceAll('\0', '');
    const usable = base === '' || base === '.' || base === '..' || ownNames.has(base);
    const path = join(this.directory(key), usable ? `script-${base.replaceAll('.', '')}` : base);
    writeFileSync(path, bytes, { mode: 0o700 });
    return path;
  }

  sizes(key: AttemptKey): OutputSizes {
    const directory = this.directory(key);
    return {
      stdout: fileSize(join(directory, 'stdout')),
      stderr: fileSize(join(directory, 'stderr')),
    };
  }

  /**
   * Cuts the output to `maxBytes` in total, heads kept; a small stream is not cut for a large one.
   */
  truncate(key: AttemptKey, sizes: OutputSizes, maxBytes: number): OutputSizes {
    const half = Math.floor(maxBytes / 2);
    const stderr = Math.min(sizes.stderr, Math.max(half, maxBytes - sizes.stdout));
    const stdout = Math.min(sizes.stdout, maxBytes - stderr);
    const directory = this.directory(key);
    if (stdout < sizes.stdout) truncateFile(join(directory, 'stdout'), stdout);
    if (stderr < sizes.stderr) truncateFile(join(directory, 'stderr'), stderr);
    return { stdout, stderr };
  }

  /** Last bytes of stderr, or of stdout where that is empty, as text. */
  tail(key: AttemptKey, sizes: OutputSizes): string {
    const stream = sizes.stderr > 0 ? 'stderr' : 'stdout';
    const size = sizes[stream];
    if (size === 0) return '';
    const length = Math.min(size, limits.outcomeTailBytes);
    const path = join(this.directory(key), stream);
    const text = withFile(path, { flags: constants.O_RDONLY }, fd => {
      const bytes = Buffer.alloc(length);
      const count = readSync(fd, bytes, 0, length, size - length);
      return bytes.toString('utf8', characterStart(bytes, size > length), count);
    });
    return text ?? '';
  }

  /**
   * The attempt is over: what is in its working directory goes, its output stays until it is the
   * oldest.
   */
  settle(key: AttemptKey, sizes: OutputSizes): void {
    const bytes = sizes.stdout + sizes.stderr;
    this.#note(key, bytes);
    if (bytes > 0 || !this.#reuse(key)) this.#emptyWork(this.work(key));
    this.#retain();
  }

  /**
   * Frees the directory of an attempt without output for the next one, where nothing is in it.
   * There is always an answer about its output: the note is made before the files go.
   */
  #reuse(key: AttemptKey): boolean {
    const directory = this.directory(key);
    if (!this.#held || this.#spare.length >= spareMax) return false;
    if (entriesOf(directory)?.length !== fixedNames.size || !emptied(directory)) return false;
    try {
      linkSync(join(this.#root, noneName), noOutputPath(this.#root, key));
    } catch (error) {
      // A file system without second names, or one that has no more of them: the directory stays.
      if (isCausedByTask(error) || isWithoutLinks(error)) return false;
      throw error;
    }
    this.#recycle(directory);
    return true;
  }

  #note(key: AttemptKey, bytes: number): void {
    this.#kept.set(key, bytes);
    this.#keptBytes += bytes;
  }

  #retain(): void {
    for (const [key, bytes] of this.#kept) {
      if (this.#kept.size <= keptAttemptsMax && this.#keptBytes <= keptBytesMax) break;
      this.#kept.delete(key);
      this.#keptBytes -= bytes;
      if (bytes === 0) rmSync(noOutputPath(this.#root, key), { force: true });
      if (isDirectory(this.directory(key))) this.#remove(this.directory(key));
    }
  }

  #remove(directory: string): void {
    if (this.#spare.length < spareMax && emptied(directory)) this.#recycle(directory);
    else this.#discard(directory);
  }

  #recycle(directory: string): void {
    const spare = join(this.#root, `.spare-${this.#spareCount++}`);
    renameSync(directory, spare);
    this.#spare.push(spare);
  }

  /** Large trees are removed beside the loop, which must not stall for them. */
  #discard(path: string): void {
    removeTree(path).then(removed => {
      if (!removed) console.error(`cannot remove what a task left: ${path}`);
    }, this.#onFault);
  }

  #emptyWork(work: string): void {
    const entries = entriesOf(work);
    if (entries === undefined) this.#discard(work);
    for (const { name } of entries ?? []) this.#discard(join(work, name));
  }

  #scan(): void {
    const ended: { key: AttemptKey; at: number; bytes: number }[] = [];
    for (const { name } of entriesOf(this.#root) ?? []) {
      const directory = join(this.#root, name);
      if (name === noneName) continue;
      const silent = name.startsWith(nonePrefix) ? name.slice(nonePrefix.length) : undefined;
      // All its names have the same time: those attempts count as the oldest.
      if (silent !== undefined) ended.push({ key: silent, at: 0, bytes: 0 });
      else if (!isSafeKey(name) || !isDirectory(directory)) this.#discard(directory);
      else {
        const sizes = this.sizes(name);
        const at = statSync(directory).mtimeMs;
        ended.push({ key: name, at, bytes: sizes.stdout + sizes.stderr });
      }
    }
    ended.sort((left, right) => left.at - right.at);
    for (const { key, bytes } of ended) this.#note(key, bytes);
    this.#retain();
  }
}

const isWithoutLinks = (error: unknown): boolean =>
  ['EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  );

/** Makes the directory of a removed attempt as new; false where the task has left it otherwise. */
function emptied(directory: string): boolean {
  const entries = entriesOf(directory) ?? [];
  const work = join(directory, 'work');
  const names = new Set(entries.map(entry => entry.name));
  if (![...fixedNames].every(name => names.has(name)) || entriesOf(work)?.length !== 0)
    return false;
  for (const entry of entries) {
    if (fixedNames.has(entry.name)) continue;
    if (entry.isDirectory()) return false;
    rmSync(join(directory, entry.name), { force: true });
  }
  chmodSync(directory, 0o700);
  chmodSync(work, 0o700);
  return ['stdout', 'stderr'].every(name => truncateFile(join(directory, name), 0));
}

/** Skips the rest of a character that the cut went through: continuation bytes at the start. */
function characterStart(bytes: Buffer, cut: boolean): number {
  let start = 0;
  while (cut && start < 3 && (bytes[start] ?? 0) >> 6 === 0b10) start++;
  return start;
}
