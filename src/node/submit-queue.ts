/** Submits of one shard that wait for the end of a turn, to share a log entry. */
import type { Actor, ItemReply, ShardCommand, SubmitItem } from '../model/command.ts';

/** Items of one command. */
export const itemsMax = 512;
/** Bytes of the specs of one command. */
const entryBytesMax = 1024 * 1024;

export interface SubmitBatch {
  readonly specs: readonly { readonly digest: Uint8Array; readonly bytes: Uint8Array }[];
  readonly items: readonly SubmitItem[];
}

interface QueuedSubmit {
  readonly batch: SubmitBatch;
  readonly actor: Actor;
  readonly resolve: (replies: readonly ItemReply[]) => void;
  readonly reject: (error: unknown) => void;
}

export class SubmitQueue {
  readonly #propose: (command: ShardCommand) => Promise<readonly ItemReply[]>;
  #queued: QueuedSubmit[] = [];
  #stopped: Error | undefined;

  constructor(propose: (command: ShardCommand) => Promise<readonly ItemReply[]>) {
    this.#propose = propose;
  }

  /** Resolves with a reply for each item once they are applied. */
  add(batch: SubmitBatch, actor: Actor): Promise<readonly ItemReply[]> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => this.#queued.push({ batch, actor, resolve, reject }));
  }

  /** Whoever still waits to be proposed, or comes later, gets `error`. */
  stop(error: Error): void {
    this.#stopped = error;
    for (const { reject } of this.#queued.splice(0)) reject(error);
  }

  /** All submits of a turn by one actor are one log entry. */
  flush(atMs: number): void {
    const queued = this.#queued;
    if (queued.length === 0) return;
    this.#queued = [];
    const groups: QueuedSubmit[][] = [];
    let bytes = 0;
    let items = 0;
    for (const submit of queued) {
      const group = groups[groups.length - 1];
      const first = group?.[0];
      const size = submit.batch.specs.reduce((sum, spec) => sum + spec.bytes.length, 0);
      if (
        group !== undefined &&
        first !== undefined &&
        first.actor.name === submit.actor.name &&
        first.actor.tenant === submit.actor.tenant &&
        items + submit.batch.items.length <= itemsMax &&
        bytes + size <= entryBytesMax
      ) {
        group.push(submit);
        items += submit.batch.items.length;
        bytes += size;
      } else {
        groups.push([submit]);
        items = submit.batch.items.length;
        bytes = size;
      }
    }
    for (const group of groups) this.#proposeGroup(group, atMs);
  }

  #proposeGroup(group: readonly QueuedSubmit[], atMs: number): void {
    const specs: { digest: Uint8Array; bytes: Uint8Array }[] = [];
    const items: SubmitItem[] = [];
    for (const { batch } of group) {
      const offset = specs.length;
      for (const spec of batch.specs) specs.push(spec);
      for (const item of batch.items) {
        items.push(offset === 0 ? item : { ...item, spec: item.spec + offset });
      }
    }
    const command: ShardCommand = {
      kind: 'submit',
      atMs,
      actor: group[0]!.actor,
      specs,
      items,
    };
    this.#propose(command).then(
      replies => {
        let from = 0;
        for (const { batch, resolve } of group) {
          resolve(replies.slice(from, from + batch.items.length));
          from += batch.items.length;
        }
      },
      (error: unknown) => {
        for (const { reject } of group) reject(error);
      },
    );
  }
}
