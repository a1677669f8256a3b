/**
 * Damage of every kind, drawn from a seed, on a real store: bits that flip, files cut short, pages
 * of zeros, files that are gone or are an older copy of themselves. Whatever it is, a start either
 * refuses the store, or everything in it reads as before. What a crash may leave is told apart by
 * the mark: a store that was closed in order has to have its last batch, and one that was killed
 * may lack, from the end, only batches that are behind its mark.
 *
 * `npm test` draws some; TSCHED_E2E=full (`npm run e2e`) all. TSCHED_DAMAGE_SEED repeats a run.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  copyFile,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TschedError } from '../../src/model/errors.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Store, StoreImage } from '../../src/ports/store.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { batchOf, firstBatch } from './storage-batches.ts';

const full = process.env['TSCHED_E2E'] === 'full';
const seed = Number(process.env['TSCHED_DAMAGE_SEED'] ?? 1);
const damages = full ? 1_500 : 120;
/** Batches between two starts: each start moves the write-ahead log into a table. */
const stints = [70, 60, 50];

let root: string;
/** Digest of what can be read, by the number of batches. */
const known = new Map<string, number>();
let total = 0;

/** Numbers below a bound, the same for the same seed (xorshift32). */
function drawer(start: number): (bound: number) => number {
  let state = Math.imul(start, 0x9e3779b1) >>> 0 || 1;
  return bound => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

const add = (hash: Hash, ...parts: (Uint8Array | string | number)[]): void => {
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : Buffer.from(String(part));
    hash.update(`${bytes.length}:`).update(bytes);
  }
};

/** Everything that can be read, but for how often the store was opened. */
async function digestOf(store: Store, image: StoreImage): Promise<string> {
  const hash = createHash('sha256');
  add(hash, JSON.stringify(image.header), JSON.stringify([...image.tombstones]));
  for (const [name, value] of image.meta) add(hash, name, value);
  for (const group of image.groups) {
    const { descriptor, ...rest } = group;
    add(hash, JSON.stringify(rest), descriptor);
    const { firstIndex, lastIndex } = group;
    const whole = Number.MAX_SAFE_INTEGER;
    if (lastIndex >= firstIndex) {
      for (const entry of store.entries(group.group, firstIndex, lastIndex + 1, whole)) {
        add(hash, entry.index, entry.term, entry.type, entry.data);
      }
    }
    const reading = store.readGroup(group.group);
    for (let rows = await reading.next(1e6); rows.length > 0; rows = await reading.next(1e6)) {
      for (const [key, value] of rows) add(hash, key, value);
    }
    await reading.close();
  }
  return hash.digest('hex');
}

async function readAll(directory: string): Promise<string> {
  const store = createLevelStore({ directory, log: silentLog });
  try {
    const image = await store.open(() => undefined);
    return await digestOf(store, image);
  } finally {
    await store.close();
  }
}

const pathOf = (name: string): string => join(root, name);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsched-damage-'));
  const directory = pathOf('db');
  const handle = () => createLevelStore({ directory, log: silentLog });
  await handle().create({ clusterId: 'c', nodeId: 'n', storeId: 's' });
  for (const [stint, count] of stints.entries()) {
    const store = handle();
    await store.open(error => {
      throw error;
    });
    const write = (batch: number): Promise<void> =>
      new Promise(resolve =>
        store.write(
          batch === 0 ? [...firstBatch, ...[7, 8].flatMap(removed)] : batchOf(batch),
          resolve,
        ),
      );
    if (stint === 0) await write(0);
    for (let done = 0; done < count; done++) {
      await write(++total);
      // Older copies of single files come from here.
      if (done === count >> 1) await cp(directory, pathOf(`middle-${stint}`), { recursive: true });
    }
    // What a process that is killed now leaves: the disk has all that was told to be durable.
    await cp(directory, pathOf(`killed-${stint}`), { recursive: true });
    await store.close();
    await cp(directory, pathOf(`closed-${stint}`), { recursive: true });
  }
  // What there is to read after each of the last batches, by writing them once more.
  await learnDigests();
}, 120_000);

afterAll(() => rm(root, { recursive: true, force: true }));

/** A group that was here once. */
const removed = (group: number) =>
  [
    { kind: 'descriptor', group, value: Uint8Array.of(group) },
    { kind: 'remove', group, tombstone: 10 + group },
  ] as const;

async function learnDigests(): Promise<void> {
  const directory = pathOf('again');
  const first = total - stints.at(-1)!;
  await cp(pathOf(`closed-${stints.length - 2}`), directory, { recursive: true });
  const store = createLevelStore({ directory, log: silentLog });
  await store.open(() => undefined);
  for (let batch = first; batch <= total; batch++) {
    if (batch > first) await new Promise<void>(resolve => store.write(batchOf(batch), resolve));
    const copy = pathOf('copy');
    await copyOf(directory, copy);
    known.set(await readAll(copy), batch);
  }
  await store.close();
}

type Kind = 'flip' | 'cut' | 'cutBlock' | 'zeroPage' | 'delete' | 'older';
const kinds: readonly Kind[] = [
  'flip',
  'flip',
  'flip',
  'cut',
  'cutBlock',
  'zeroPage',
  'delete',
  'older',
];

/** Does one thing to one file of a copy; answers what, or `undefined` where it changes nothing. */
async function damage(
  directory: string,
  draw: (bound: number) => number,
): Promise<string | undefined> {
  // What LevelDB only writes for people, and its lock, hold nothing.
  const names = (await readdir(directory)).filter(name => !/^(LOG|LOCK)/.test(name)).sort();
  const name = names[draw(names.length)]!;
  const path = join(directory, name);
  const bytes = await readFile(path);
  const kind = kinds[draw(kinds.length)]!;
  // Not written in place: the file has another name elsewhere.
  const replace = async (content: Uint8Array): Promise<boolean> => {
    if (Buffer.compare(content, bytes) === 0) return false;
    await rm(path);
    await writeFile(path, content);
    return true;
  };
  const what = async (): Promise<string | undefined> => {
    if (kind === 'delete') {
      await rm(path);
      return '';
    }
    if (kind === 'older') {
      const stint = draw(stints.length);
      const from = pathOf(`${['middle', 'killed', 'closed'][draw(3)]}-${stint}`);
      const old = await readFile(join(from, name)).catch(() => undefined);
      return old !== undefined && (await replace(old)) ? from.slice(root.length + 1) : undefined;
    }
    if (bytes.length === 0) return undefined;
    if (kind === 'flip') {
      const at = draw(bytes.length);
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << draw(8);
      await replace(changed);
      return `at ${at}`;
    }
    if (kind === 'zeroPage') {
      const at = draw(Math.ceil(bytes.length / 4_096)) * 4_096;
      const changed = Buffer.from(bytes).fill(0, at, Math.min(at + 4_096, bytes.length));
      return (await replace(changed)) ? `at ${at}` : undefined;
    }
    const unit = kind === 'cut' ? 1 : [512, 4_096, 32_768][draw(3)]!;
    const to = draw(Math.ceil(bytes.length / unit)) * unit;
    await replace(bytes.subarray(0, to));
    return `to ${to} of ${bytes.length}`;
  };
  const done = await what();
  return done === undefined ? undefined : `${kind} ${name} ${done}`;
}

/** A copy to damage; tables are not copied, since nobody writes into them. */
async function copyOf(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to);
  for (const name of await readdir(from)) {
    if (name.endsWith('.ldb')) await link(join(from, name), join(to, name));
    else await copyFile(join(from, name), join(to, name));
  }
}

test(`none of ${damages} damages goes unnoticed (seed ${seed})`, async () => {
  const draw = drawer(seed);
  const whole = known.size;
  expect(whole).toBe(stints.at(-1)! + 1);
  const counts = { refused: 0, harmless: 0, tail: 0 };
  const silent: string[] = [];
  for (let done = 0; done < damages; ) {
    const killed = draw(2) === 0;
    const directory = pathOf('damaged');
    await copyOf(pathOf(`${killed ? 'killed' : 'closed'}-${stints.length - 1}`), directory);
    const what = await damage(directory, draw);
    if (what === undefined) continue;
    done++;
    let found = '';
    try {
      found = await readAll(directory);
    } catch (error) {
      if (!(error instanceof TschedError)) throw new Error(what, { cause: error });
      counts.refused++;
      continue;
    }
    const batch = known.get(found);
    if (batch === total) counts.harmless++;
    else if (killed && batch !== undefined) counts.tail++;
    else silent.push(`${killed ? 'killed' : 'closed'}: ${what} -> ${batch ?? 'mixed'}`);
  }
  console.info(`damages: ${JSON.stringify({ ...counts, silent: silent.length })}`);
  expect(silent).toEqual([]);
}, 600_000);
