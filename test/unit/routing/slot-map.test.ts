import { expect, test } from 'vitest';
import { formatTaskId, slotCount } from '../../../src/model/ids.ts';
import { initialSlotTable } from '../../../src/model/slots.ts';
import { shardOfSlot, shardOfTask } from '../../../src/routing/slot-map.ts';

test.each([1, 16, 64, 4096])('%i shards share the slots evenly', shards => {
  const table = initialSlotTable(shards);
  expect(table.length).toBe(slotCount);
  const counts = new Array<number>(shards + 1).fill(0);
  for (let slot = 0; slot < slotCount; slot++) {
    const id = formatTaskId({ atMs: 1_700_000_000_000, slot, random: slot });
    const shard = shardOfTask(id, table);
    expect(shard).toBe(shardOfSlot(slot, shards));
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  expect(counts).toEqual([0, ...new Array<number>(shards).fill(slotCount / shards)]);
});

test('a slot that moved is found at its new shard', () => {
  const table = initialSlotTable(4);
  table[9] = 3;
  expect(shardOfTask(formatTaskId({ atMs: 1, slot: 9, random: 1 }), table)).toBe(3);
});

test('an empty table is a mistake of the program', () => {
  const id = formatTaskId({ atMs: 1, slot: 9, random: 1 });
  expect(() => shardOfTask(id, new Uint16Array(0))).toThrow('no shard for task');
});
