/**
 * Rows of the table in ID order, found as they are asked for: O(tasks) to begin, O(log n) a row.
 * The table must not change while the walk is going on.
 */
import { none, type TaskTable } from './task-table.ts';

/** The row of the smallest ID; `none` where the table is empty. O(tasks). */
export function firstInIdOrder(table: TaskTable): number {
  let first: number = none;
  for (let row = 0; row < table.rowsEnd; row++) {
    if (table.isTask(row) && (first === none || table.isIdBefore(row, first))) first = row;
  }
  return first;
}

interface IdWalk {
  readonly accepts: (row: number) => boolean;
  readonly reverse: boolean;
}

export function* rowsInIdOrder(table: TaskTable, walk: IdWalk): Generator<number> {
  let size = 0;
  const heap = new Uint32Array(table.size);
  for (let row = 0; row < table.rowsEnd; row++) {
    if (table.isTask(row) && walk.accepts(row)) heap[size++] = row;
  }
  const isBefore = (left: number, right: number): boolean =>
    walk.reverse ? table.isIdBefore(right, left) : table.isIdBefore(left, right);
  const sink = (place: number, row: number): void => {
    for (let child = place * 2 + 1; child < size; child = place * 2 + 1) {
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, row)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = row;
  };
  for (let place = (size >>> 1) - 1; place >= 0; place--) sink(place, heap[place]!);
  while (size > 0) {
    const first = heap[0]!;
    size--;
    if (size > 0) sink(0, heap[size]!);
    yield first;
  }
}
