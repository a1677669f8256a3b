/**
 * Where a listing over all shards goes on. A cursor holds, for each shard that has more, the ID
 * below which it has not been shown, or nothing where it has to be begun; shards not in it are
 * done. No task is shown twice, and none is left out while its shard answers.
 */
import { TschedError } from '../model/errors.ts';
import { type ShardId, toTaskId } from '../model/ids.ts';

/** For each shard that is not done: the ID below which to go on; '' begins at the newest. */
export type Bounds = Readonly<Record<string, string>>;

/** What a page is cut from: tasks of all shards, newest first. */
interface Found {
  readonly id: string;
  readonly shard: ShardId;
}

/** `undefined` for a first page; throws `badRequest` for what no listing gave. */
export function decodeListCursor(cursor: string | undefined): Bounds | undefined {
  if (cursor === undefined) return undefined;
  try {
    const bounds: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (typeof bounds !== 'object' || bounds === null) throw new Error('not an object');
    for (const [shard, id] of Object.entries(bounds)) {
      if (!/^\d{1,5}$/.test(shard) || typeof id !== 'string') throw new Error('bad shard');
      if (id !== '' && toTaskId(id) === undefined) throw new Error('bad id');
    }
    return bounds as Bounds;
  } catch (cause) {
    throw new TschedError(
      'badRequest',
      'the cursor is not one that a listing gave',
      { field: 'cursor' },
      cause,
    );
  }
}

export const encodeListCursor = (bounds: Bounds): string =>
  Buffer.from(JSON.stringify(bounds)).toString('base64url');

/**
 * Bounds of the next page, `undefined` where this one was the last. `more`: the lowest ID looked at
 * in each shard that has more below it. `missing` shards did not answer: they are asked again as
 * long as another one has more, and then given up, so that nobody asks for ever.
 */
export function nextBounds(page: {
  readonly before: Bounds | undefined;
  readonly found: readonly Found[];
  /** How many of `found`, from its beginning, are shown. */
  readonly shown: number;
  readonly more: Bounds;
  readonly missing: readonly ShardId[];
}): Bounds | undefined {
  const { before, found, shown, missing } = page;
  const next: Record<string, string> = { ...page.more };
  const lastShown = new Map<ShardId, string>();
  for (const { shard, id } of found.slice(0, shown)) lastShown.set(shard, id);
  for (const { shard } of found.slice(shown)) {
    next[shard] = lastShown.get(shard) ?? before?.[shard] ?? '';
  }
  if (Object.keys(next).length === 0) return undefined;
  for (const shard of missing) next[shard] = before?.[shard] ?? '';
  return next;
}
