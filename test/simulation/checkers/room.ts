/**
 * A node that was told that its disk is nearly full takes no new tasks into the groups that it
 * leads: from a while after it looked, no submit of its term gets into its log.
 */

import { decodeShardCommand } from '../../../src/model/command.ts';
import { registryGroup } from '../../../src/model/ids.ts';
import type { Replica } from '../../../src/node/replica.ts';
import type { SimNode } from '../sim-node.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';

/** Below this, a disk of the simulator is nearly full by the rule of the program. */
const reserveBytes = 5e9;
/** What came before a look may still be proposed in the turns after it. */
const looksMin = 2;
const bytesMax = 1024 * 1024;

interface Since {
  readonly term: number;
  /** Entries up to here were looked at, or came before. */
  index: number;
}

export class RoomChecker implements Checker {
  readonly #since = new WeakMap<Replica, Since>();

  afterEvent({ id, looks, node }: SimNode): void {
    if (node === undefined) return;
    if (looks.freeBytes >= reserveBytes) return;
    for (const replica of node.loop.replicas()) {
      const { core, group } = replica;
      const since = this.#since.get(replica);
      if (!replica.leading || looks.count < looksMin) this.#since.delete(replica);
      else if (since?.term !== core.term) {
        this.#since.set(replica, { term: core.term, index: core.lastIndex });
      } else if (core.committed > since.index && group !== registryGroup) {
        const entries = replica.log.entries(since.index + 1, core.committed + 1, bytesMax);
        for (const { index, type, data } of entries === 'compacted' ? [] : entries) {
          since.index = index;
          const submits =
            type === 0 && data.length > 0 && decodeShardCommand(data).kind === 'submit';
          check(!submits, () => `${id} took a task into group ${group} with a disk nearly full`);
        }
      }
    }
  }
}
