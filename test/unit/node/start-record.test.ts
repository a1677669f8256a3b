import { expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { decodeStarts, encodeStarts, StartRecord } from '../../../src/node/start-record.ts';
import type { StoreImage } from '../../../src/ports/store.ts';
import { hasForgotten } from '../../../src/registry/starts.ts';
import { seededRandom } from '../../simulation/virtual-time.ts';

const random = seededRandom(1, 'starts');

/** A disk that keeps the record, and a start on it. */
class Disk {
  bootCount = 0;
  readonly meta = new Map<string, Uint8Array>();

  start(): StartRecord {
    this.bootCount++;
    const header = { clusterId: 'c', nodeId: 'n', storeId: 's' };
    const { bootCount, meta } = this;
    const image: StoreImage = { header, bootCount, meta, groups: [], tombstones: new Map() };
    return new StartRecord(image, random, async (key, value) => void meta.set(key, value));
  }

  copy(): Disk {
    const other = new Disk();
    other.bootCount = this.bootCount;
    for (const [key, value] of this.meta) other.meta.set(key, value);
    return other;
  }
}

test('the record has these bytes', () => {
  const bytes = encodeStarts({ confirmedCount: 300, ids: ['s1', 'sab'] });
  expect(Buffer.from(bytes).toString('hex')).toBe('01ac020202733103736162');
  expect(decodeStarts(bytes)).toEqual({ confirmedCount: 300, ids: ['s1', 'sab'] });
});

test('a start is known to its store until another one is confirmed', async () => {
  const disk = new Disk();
  const first = disk.start();
  await first.keep();
  const second = disk.start();
  await second.keep();
  expect(first.bootId).toMatch(/^s[0-9a-f]{32}$/);
  expect(second.known).toEqual({ confirmedCount: 0, ids: [first.bootId, second.bootId] });
  await second.confirm();
  const third = disk.start();
  expect(third.known).toEqual({ confirmedCount: 2, ids: [second.bootId, third.bootId] });
  expect(hasForgotten(second, third, third.known)).toBe(false);
  // A peer that lags tells of the first.
  expect(hasForgotten(first, third, third.known)).toBe(false);
});

test.each([1, 3, 200])('a copy does not know a later start after %s starts', async starts => {
  const disk = new Disk();
  const before = disk.start();
  await before.keep();
  await before.confirm();
  const copy = disk.copy();
  const later = disk.start();
  await later.keep();
  let copied = copy.start();
  for (let more = 1; more < starts; more++) {
    await copied.keep();
    copied = copy.start();
  }
  expect(hasForgotten(later, copied, copied.known)).toBe(true);
});

test('a store that is killed before every answer locks nobody out', async () => {
  const disk = new Disk();
  let registered: StartRecord | undefined;
  for (let start = 1; start <= 3 * limits.unconfirmedStartsMax; start++) {
    const next = disk.start();
    await next.keep();
    if (registered !== undefined) expect(hasForgotten(registered, next, next.known)).toBe(false);
    // Taken in, and killed before it hears of that.
    registered = next;
  }
});
