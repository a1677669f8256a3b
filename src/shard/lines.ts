/**
 * The lines of tasks that may not all run at once: the unsettled tasks of one tenant and order key,
 * or of one key that bounds how many run. They stand in the order in which they were admitted. Only
 * so many from the front are let go as each of them allows, one where order is asked for; a task
 * that was let go is so until it settles, whatever becomes of its attempts, and then leaves the
 * line. The others are held.
 *
 * A place in a line has a number, one above that of the place before it, which is stored with the
 * task, as is whether it is held; so the lines follow from the rows. A line without tasks is none:
 * keys that were used once cost nothing.
 */
import { assert } from '../model/assert.ts';

interface Line {
  readonly key: number;
  first: Place | undefined;
  last: Place | undefined;
  /** The first that is held: all behind it are, too. */
  held: Place | undefined;
  length: number;
  /** Those that were let go. */
  open: number;
}

interface Place {
  readonly line: Line;
  readonly row: number;
  readonly number: number;
  /** Most of the line that may be let go for this one to be among them. */
  readonly width: number;
  isHeld: boolean;
  before: Place | undefined;
  behind: Place | undefined;
}

export class Lines {
  readonly #lines = new Map<number, Line>();
  readonly #places = new Map<number, Place>();

  /** Puts a task at the end of the line of its key; true where it is held. */
  join(row: number, key: number, width: number): boolean {
    const line = this.#lines.get(key);
    const isHeld = line !== undefined && (line.held !== undefined || line.open >= width);
    this.#append(row, key, { number: (line?.last?.number ?? 0) + 1, width, isHeld });
    return isHeld;
  }

  /** Puts a task back where it stood; those of one line come in the order of their numbers. */
  restore(
    row: number,
    key: number,
    place: { readonly number: number; readonly width: number; readonly isHeld: boolean },
  ): void {
    const line = this.#lines.get(key);
    assert(place.number > (line?.last?.number ?? 0), 'places of a line are restored in order');
    assert(place.isHeld || line?.held === undefined, 'those that were let go stand in front');
    this.#append(row, key, place);
  }

  #append(row: number, key: number, about: Pick<Place, 'number' | 'width' | 'isHeld'>): void {
    assert(!this.#places.has(row), 'a task stands in one line');
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { key, first: undefined, last: undefined, held: undefined, length: 0, open: 0 };
      this.#lines.set(key, line);
    }
    const place: Place = { ...about, line, row, before: line.last, behind: undefined };
    if (line.last === undefined) line.first = place;
    else line.last.behind = place;
    line.last = place;
    line.length++;
    if (place.isHeld) line.held ??= place;
    else line.open++;
    this.#places.set(row, place);
  }

  /** Takes a settled task out; the rows that are let go because of that. */
  leave(row: number): number[] {
    const place = this.#places.get(row);
    if (place === undefined) return [];
    this.#places.delete(row);
    const { line, before, behind } = place;
    line.length--;
    if (line.length === 0) this.#lines.delete(line.key);
    if (behind === undefined) line.last = before;
    else behind.before = before;
    if (before === undefined) line.first = behind;
    else before.behind = behind;
    if (!place.isHeld) line.open--;
    else if (line.held === place) line.held = behind;
    const released: number[] = [];
    for (let next = line.held; next !== undefined && line.open < next.width; next = line.held) {
      next.isHeld = false;
      line.open++;
      line.held = next.behind;
      released.push(next.row);
    }
    return released;
  }

  /** Number of the task's place; `undefined` where it stands in no line. */
  number(row: number): number | undefined {
    return this.#places.get(row)?.number;
  }

  /** How many tasks stand before it. O(those). */
  ahead(row: number): number | undefined {
    const place = this.#places.get(row);
    if (place === undefined) return undefined;
    let count = 0;
    for (let other = place.before; other !== undefined; other = other.before) count++;
    return count;
  }

  length(key: number): number {
    return this.#lines.get(key)?.length ?? 0;
  }

  /** Tasks in all lines. */
  get size(): number {
    return this.#places.size;
  }

  /** The tasks of every line, first to last, for the invariants. */
  *lines(): Generator<{
    readonly key: number;
    readonly places: readonly Pick<Place, 'row' | 'number' | 'width' | 'isHeld'>[];
  }> {
    for (const [key, line] of this.#lines) {
      const places: Place[] = [];
      for (let at = line.first; at !== undefined; at = at.behind) places.push(at);
      yield { key, places };
    }
  }
}
