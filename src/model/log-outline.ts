/**
 * What is known of a stored log without its entries: their terms and their bytes. Terms are kept as
 * runs, so that any term is known without a read: a log has as many runs as it has had leaders.
 */
import { LogSize } from './log-size.ts';

interface TermRun {
  /** Index of its first entry. */
  readonly first: number;
  readonly term: number;
}

export class LogOutline {
  /** Ascending by first index; what lies before the first entry of the log may be in the first. */
  readonly runs: TermRun[] = [];
  /** Bytes of the entries from the first on. */
  readonly size = new LogSize();

  /** An entry that follows the last one; the first may have any index. */
  add(index: number, term: number, bytes: number): void {
    if (this.runs.at(-1)?.term !== term) this.runs.push({ first: index, term });
    this.size.add(index, bytes);
  }

  /** Forgets the entries from `index` on. */
  cutFrom(index: number): void {
    while (this.runs.length > 0 && this.runs.at(-1)!.first >= index) this.runs.pop();
    this.size.cutFrom(index);
  }

  /** Forgets the entries up to `index`. */
  dropThrough(index: number): void {
    while (this.runs.length > 1 && this.runs[1]!.first <= index + 1) this.runs.shift();
    this.size.dropThrough(index);
  }

  /** Term of an entry of the log. */
  term(index: number): number | undefined {
    for (let position = this.runs.length - 1; position >= 0; position--) {
      const run = this.runs[position]!;
      if (run.first <= index) return run.term;
    }
    return undefined;
  }
}
