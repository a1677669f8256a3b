/** Rows with a live attempt, by its node. */
import type { NodeId } from '../../model/ids.ts';
import type { TaskTable } from './task-table.ts';

export class LiveIndex {
  readonly #table: TaskTable;
  readonly #byNode = new Map<NodeId, Set<number>>();

  constructor(table: TaskTable) {
    this.#table = table;
  }

  add(node: NodeId, row: number): void {
    const rows = this.#byNode.get(node);
    if (rows === undefined) this.#byNode.set(node, new Set([row]));
    else rows.add(row);
  }

  remove(node: NodeId, row: number): void {
    const rows = this.#byNode.get(node);
    rows?.delete(row);
    if (rows?.size === 0) this.#byNode.delete(node);
  }

  /** Of one node or of all, in ID order. */
  rows(node?: NodeId): number[] {
    const rows: number[] = [];
    if (node !== undefined) rows.push(...(this.#byNode.get(node) ?? []));
    else for (const ofNode of this.#byNode.values()) rows.push(...ofNode);
    return rows.sort((left, right) => (this.#table.isIdBefore(left, right) ? -1 : 1));
  }
}
