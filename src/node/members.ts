/** Where the replicas of one group live, as one of them knows it. */
import type { NodeId } from '../model/ids.ts';
import type { ReplicaId } from '../raft/message.ts';
import { type Member, storeMark } from './descriptor.ts';

export interface KnownMember {
  readonly node: NodeId;
  readonly storeId: string;
  /** Of its store, as messages carry it; 0 where that is not known. */
  readonly mark: number;
}

export class Members {
  readonly #byId = new Map<ReplicaId, KnownMember>();

  get(id: ReplicaId): KnownMember | undefined {
    return this.#byId.get(id);
  }

  list(): Member[] {
    return [...this.#byId].map(([replicaId, { node, storeId }]) => ({ replicaId, node, storeId }));
  }

  learn({ replicaId, node, storeId }: Member): void {
    const mark = storeId === '' ? 0 : storeMark(storeId);
    this.#byId.set(replicaId, { node, storeId, mark });
  }

  /** These, and nobody else. */
  replace(members: readonly Member[]): void {
    this.#byId.clear();
    for (const member of members) this.learn(member);
  }

  /** Forgets everybody else. */
  keep(present: ReadonlySet<ReplicaId>): void {
    for (const id of [...this.#byId.keys()]) if (!present.has(id)) this.#byId.delete(id);
  }
}
