/**
 * Walks the ready tasks of several demands by age: the task that has been ready longest first,
 * equal ones by id. A demand that is found blocked is left out of the rest of the walk.
 */
import type { Demand, ReadyBatch, ReadyTask } from '../model/planning.ts';

interface Head {
  readonly batch: ReadyBatch;
  position: number;
}

const taskOf = (head: Head): ReadyTask | undefined => head.batch.tasks[head.position];

/** Whether the task at `left` comes before that at `right`. Heads in the heap have a task. */
function isOlder(left: Head, right: Head): boolean {
  const a = taskOf(left);
  const b = taskOf(right);
  if (a === undefined || b === undefined) return b === undefined;
  if (a.readySinceMs !== b.readySinceMs) return a.readySinceMs < b.readySinceMs;
  return a.id < b.id;
}

/** A binary heap of batches by their oldest task that was not seen yet. */
export class AgeWalk {
  readonly #heap: Head[] = [];

  constructor(batches: readonly ReadyBatch[]) {
    for (const batch of batches) {
      if (batch.tasks.length === 0) continue;
      this.#heap.push({ batch, position: 0 });
      this.#up(this.#heap.length - 1);
    }
  }

  /** The oldest task, or `undefined` at the end. */
  get current(): { readonly demand: Demand; readonly task: ReadyTask } | undefined {
    const head = this.#heap[0];
    const task = head === undefined ? undefined : taskOf(head);
    return head === undefined || task === undefined
      ? undefined
      : { demand: head.batch.demand, task };
  }

  /** Goes on behind the current task. */
  next(): void {
    const head = this.#heap[0];
    if (head === undefined) return;
    head.position += 1;
    if (taskOf(head) === undefined) this.leaveDemand();
    else this.#down();
  }

  /** Leaves out the rest of the current task's demand. */
  leaveDemand(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down();
  }

  #swap(left: number, right: number): void {
    const head = this.#heap[left];
    const other = this.#heap[right];
    if (head === undefined || other === undefined) return;
    this.#heap[left] = other;
    this.#heap[right] = head;
  }

  #older(left: number, right: number): boolean {
    const head = this.#heap[left];
    const other = this.#heap[right];
    return head !== undefined && other !== undefined && isOlder(head, other);
  }

  #up(position: number): void {
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#older(position, parent)) return;
      this.#swap(position, parent);
      position = parent;
    }
  }

  #down(): void {
    let position = 0;
    for (;;) {
      let oldest = position;
      for (const child of [2 * position + 1, 2 * position + 2]) {
        if (this.#older(child, oldest)) oldest = child;
      }
      if (oldest === position) return;
      this.#swap(position, oldest);
      position = oldest;
    }
  }
}
