/** Reading what a shard has from the disk, in one ordered walk that sees everything. */
import type { ShardId } from '../model/ids.ts';
import type { NodeContext } from './context.ts';
import type { Replica } from './replica.ts';

/** The replica of a shard here, once all of its tasks are on the disk. */
export async function readable(
  { loop }: Pick<NodeContext, 'loop'>,
  shard: ShardId,
): Promise<Replica | undefined> {
  const replica = loop.replica(shard);
  // What was taken for a write that is still under way counts as well.
  if (replica?.unwritten === true) await loop.flush(replica);
  return replica;
}
