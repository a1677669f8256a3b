/** Drawn IDs: unique, sortable, in a slot of a shard that can be written. */
import { describe, expect, test } from 'vitest';
import { parseTaskId, slotOfId } from '../../../src/model/ids.ts';
import { initialSlotTable } from '../../../src/model/slots.ts';
import { IdDraw } from '../../../src/node/id-draw.ts';
import { seededRandom } from '../../simulation/virtual-time.ts';

function make(writable: () => readonly number[]) {
  const now = { ms: 1_000 };
  const table = initialSlotTable(8);
  const draw = new IdDraw({
    clock: {
      nowMs: () => now.ms,
      wallMs: () => 1_700_000_000_000 + now.ms,
      bootMs: () => now.ms,
      after: () => () => undefined,
    },
    random: seededRandom(3),
    table: () => table,
    writable,
  });
  return { draw, now, table };
}

describe('drawn IDs', () => {
  test('are never equal within a millisecond, and count up in a slot', () => {
    const { draw } = make(() => [1]);
    let before = draw.inSlot(77);
    const seen = new Set<string>([before]);
    for (let count = 0; count < 5_000; count++) {
      const id = draw.inSlot(77);
      expect(id > before).toBe(true);
      seen.add(id);
      before = id;
    }
    expect(seen.size).toBe(5_001);
  });

  test('carry the slot that was asked for and the instant', () => {
    const { draw, now } = make(() => [1]);
    now.ms = 4_711;
    expect(parseTaskId(draw.inSlot(4_095))).toMatchObject({
      slot: 4_095,
      atMs: 1_700_000_004_711,
    });
  });

  test('without a key are in a shard that can be written, up to a hundred in a row', () => {
    const { draw, table } = make(() => [3, 5]);
    const shards = Array.from({ length: 400 }, () => table[slotOfId(draw.anywhere()!)]!);
    expect(new Set(shards)).toEqual(new Set([3, 5]));
    for (let from = 0; from < 400; from += 100) {
      expect(new Set(shards.slice(from, from + 100)).size).toBe(1);
    }
    expect(shards[100]).not.toBe(shards[0]);
  });

  test('leave a shard that cannot be written any more within milliseconds', () => {
    let writable = [3];
    const { draw, now, table } = make(() => writable);
    expect(table[slotOfId(draw.anywhere()!)]).toBe(3);
    writable = [4];
    now.ms += 6;
    expect(table[slotOfId(draw.anywhere()!)]).toBe(4);
    writable = [];
    now.ms += 6;
    expect(draw.anywhere()).toBeUndefined();
  });
});
