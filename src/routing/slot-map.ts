/**
 * From a task to its shard: the ID carries the slot, the registry's table gives the shard of a
 * slot. The table is there so that slots can move to new shards one day; until then it is the one
 * that `shardOfSlot` describes.
 */
import { assert } from '../model/assert.ts';
import { type ShardId, type Slot, slotOfId, type TaskId } from '../model/ids.ts';
import type { SlotTable } from '../model/slots.ts';

/** Shard of a slot in a cluster whose slots never moved: 1 to `shardCount`, taken in turn. */
export const shardOfSlot = (slot: Slot, shardCount: number): ShardId => 1 + (slot % shardCount);

/** Shard of a canonical task ID. The table has an entry for every slot. */
export function shardOfTask(id: TaskId, table: SlotTable): ShardId {
  const shard = table[slotOfId(id)];
  assert(shard !== undefined && shard > 0, `no shard for task ${id}`);
  return shard;
}
