/** How a run can fail: the simulator's exit codes stand for these. */
export type Verdict = 'crash' | 'liveness' | 'correctness';

/** A promise of the design that did not hold. */
export class Violation extends Error {
  readonly verdict: Verdict;

  constructor(verdict: Verdict, message: string) {
    super(message);
    this.name = 'Violation';
    this.verdict = verdict;
  }
}

/** Throws a `correctness` violation unless `holds`. */
export function check(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Violation('correctness', message());
}
