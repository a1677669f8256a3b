/**
 * How many bytes of a log lie before an index. Kept in steps of some dozens of entries: exact for
 * the whole log and at the steps, in proportion between them. That is enough to decide what is
 * dropped, and costs next to nothing per entry.
 */
import { assert } from './assert.ts';

interface Step {
  readonly first: number;
  count: number;
  bytes: number;
}

const stepEntries = 64;
const stepBytes = 64 * 1024;

export class LogSize {
  /** Ascending and without gaps. */
  #steps: Step[] = [];
  #bytes = 0;

  /** Of all entries together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** An entry that follows the last one; the first may have any index. */
  add(index: number, bytes: number): void {
    const last = this.#steps.at(-1);
    assert(last === undefined || index === last.first + last.count, 'entries are added in order');
    this.#bytes += bytes;
    if (last === undefined || last.count >= stepEntries || last.bytes >= stepBytes) {
      this.#steps.push({ first: index, count: 1, bytes });
      return;
    }
    last.count++;
    last.bytes += bytes;
  }

  /** Forgets the entries from `index` on. */
  cutFrom(index: number): void {
    for (let last = this.#steps.at(-1); last !== undefined; last = this.#steps.at(-1)) {
      const keep = index - last.first;
      if (keep >= last.count) return;
      this.#steps.pop();
      this.#bytes -= last.bytes;
      if (keep <= 0) continue;
      const bytes = Math.floor((last.bytes * keep) / last.count);
      this.#steps.push({ first: last.first, count: keep, bytes });
      this.#bytes += bytes;
      return;
    }
  }

  /** Forgets the entries up to `index`. */
  dropThrough(index: number): void {
    const whole = this.#steps.findIndex(step => step.first + step.count - 1 > index);
    const gone = this.#steps.splice(0, whole < 0 ? this.#steps.length : whole);
    for (const step of gone) this.#bytes -= step.bytes;
    const head = this.#steps[0];
    if (head === undefined || head.first > index) return;
    const count = head.first + head.count - 1 - index;
    const bytes = Math.floor((head.bytes * count) / head.count);
    this.#bytes -= head.bytes - bytes;
    this.#steps[0] = { first: index + 1, count, bytes };
  }

  /** Bytes of the entries up to `index`. */
  through(index: number): number {
    let sum = 0;
    for (const { first, count, bytes } of this.#steps) {
      if (first > index) break;
      const taken = Math.min(count, index - first + 1);
      sum += taken === count ? bytes : Math.floor((bytes * taken) / count);
    }
    return sum;
  }

  /** The least index behind which at most `bytes` are left; whole steps. */
  leaving(bytes: number): number {
    let left = 0;
    for (let position = this.#steps.length - 1; position >= 0; position--) {
      const step = this.#steps[position]!;
      left += step.bytes;
      if (left > bytes) return step.first + step.count - 1;
    }
    return (this.#steps[0]?.first ?? 1) - 1;
  }
}
