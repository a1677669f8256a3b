/** The simulated LevelDB loses and damages what it holds; the real store on it finds out. */
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/ports/log.ts';
import type { Store, StoreOp } from '../../../src/ports/store.ts';
import { checkContent } from '../../../src/storage/check-store.ts';
import { createLevelStore } from '../../../src/storage/level-store.ts';
import { LevelDisk, type LevelHandle, simLevelFiles } from '../../simulation/sim-level.ts';
import { seededRandom } from '../../simulation/virtual-time.ts';

const unexpected = (error: Error): never => {
  throw error;
};
const storeOn = (disk: LevelDisk) =>
  createLevelStore({ directory: 'store', log: silentLog }, simLevelFiles({ disk }));
const below = (seed: number): ((count: number) => number) => {
  const random = seededRandom(seed, 'damage');
  return count => random.uint32() % count;
};

const append = (index: number): StoreOp[] => [
  { kind: 'entries', group: 1, entries: [{ term: 1, index, type: 0, data: Uint8Array.of(index) }] },
  { kind: 'hard', group: 1, hard: { term: 1, vote: 0, commit: index } },
  {
    kind: 'state',
    group: 1,
    applied: index,
    appliedTerm: 1,
    rows: [[Uint8Array.of(index), Uint8Array.of(7)]],
  },
];

const write = (store: Store, ops: readonly StoreOp[]): Promise<void> =>
  new Promise(done => store.write(ops, done));

/** A disk with a store of 20 batches that nobody has open. */
async function written(): Promise<LevelDisk> {
  const disk = new LevelDisk();
  await storeOn(disk).create({ clusterId: 'c', nodeId: 'n', storeId: 's' });
  const store = storeOn(disk);
  await store.open(unexpected);
  await write(store, [{ kind: 'descriptor', group: 1, value: Uint8Array.of(1) }]);
  for (let index = 1; index < 20; index++) await write(store, append(index));
  await store.close();
  return disk;
}

describe('a store on a simulated LevelDB', () => {
  test('opens as it was closed', async () => {
    const image = await storeOn(await written()).open(unexpected);
    expect(image.bootCount).toBe(2);
    expect(image.groups).toMatchObject([{ group: 1, lastIndex: 19, applied: 19 }]);
  });

  test('refuses whatever batches are lost in the middle, and so does the doctor', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = await written();
      expect(disk.loseBatches(below(seed)), `seed ${seed}`).toBeGreaterThan(0);
      const { damage } = await checkContent(await simLevelFiles({ disk: disk.copy() }).open(), 0);
      expect(damage, `seed ${seed}`).not.toEqual([]);
      await expect(storeOn(disk).open(unexpected), `seed ${seed}`).rejects.toMatchObject({
        code: 'storageFault',
      });
    }
  });

  test('refuses a flipped bit, when it opens or when it is asked for the row', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const disk = await written();
      expect(disk.flipBit(below(seed)), `seed ${seed}`).toBeDefined();
      const { damage } = await checkContent(await simLevelFiles({ disk: disk.copy() }).open(), 0);
      expect(damage, `seed ${seed}`).toHaveLength(1);
      const read = async (): Promise<void> => {
        const store = storeOn(disk);
        await store.open(() => undefined);
        const range = { from: Uint8Array.of(0), to: Uint8Array.of(255), limit: 100 };
        await store.rows(1, range);
      };
      await expect(read(), `seed ${seed}`).rejects.toMatchObject({ code: 'storageFault' });
    }
  });

  test('keeps a write that was under way as a whole or not at all', async () => {
    for (const keepInFlight of [true, false]) {
      const disk = await written();
      let handle: LevelHandle | undefined;
      let calls = 0;
      const schedule = (finish: (error: Error | undefined) => void): void => {
        // The first write is that of the open.
        if (calls++ === 0) finish(undefined);
      };
      const files = simLevelFiles({ disk, schedule }, opened => {
        handle = opened;
      });
      const store = createLevelStore({ directory: 'store', log: silentLog }, files);
      await store.open(unexpected);
      store.write(append(20), () => expect.unreachable('the write never ends'));
      handle?.abandon({ keepInFlight });
      const image = await storeOn(disk).open(unexpected);
      expect(image.groups[0]?.lastIndex).toBe(keepInFlight ? 20 : 19);
    }
  });

  test('does not depend on what is cleared behind its back', async () => {
    for (const kept of [true, false]) {
      const disk = await written();
      const store = storeOn(disk);
      await store.open(unexpected);
      await write(store, [{ kind: 'truncate', group: 1, index: 10, term: 1 }]);
      await write(store, append(20));
      await store.close();
      disk.lose(() => kept);
      const image = await storeOn(disk).open(unexpected);
      expect(image.groups[0]).toMatchObject({ firstIndex: 11, lastIndex: 20 });
    }
  });
});
