/** The live attempts of a shard, and their rows by node. */
import { assert } from '../../model/assert.ts';
import type { NodeId } from '../../model/ids.ts';
import type { AttemptRecord } from './task-detail.ts';
import type { TaskTable } from './task-table.ts';

export class LiveIndex {
  readonly #table: TaskTable;
  readonly #byNode = new Map<NodeId, Set<number>>();

  constructor(table: TaskTable) {
    this.#table = table;
  }

  get(row: number): AttemptRecord | undefined {
    return this.#table.detail(row)?.live;
  }

  set(row: number, attempt: AttemptRecord): void {
    this.#table.ensureDetail(row).live = attempt;
    const rows = this.#byNode.get(attempt.node);
    if (rows === undefined) this.#byNode.set(attempt.node, new Set([row]));
    else rows.add(row);
  }

  /** Takes the live attempt away. */
  end(row: number): AttemptRecord {
    const detail = this.#table.ensureDetail(row);
    const { live } = detail;
    assert(live, 'only a live attempt ends');
    detail.live = undefined;
    detail.suspended = false;
    detail.recall = undefined;
    const rows = this.#byNode.get(live.node);
    rows?.delete(row);
    if (rows?.size === 0) this.#byNode.delete(live.node);
    return live;
  }

  /** Of one node or of all, in ID order. */
  rows(node?: NodeId): number[] {
    const rows: number[] = [];
    if (node !== undefined) rows.push(...(this.#byNode.get(node) ?? []));
    else for (const ofNode of this.#byNode.values()) rows.push(...ofNode);
    return rows.sort((left, right) => (this.#table.isIdBefore(left, right) ? -1 : 1));
  }
}
