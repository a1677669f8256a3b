/**
 * The book of a test about what schedules of each minute have fired. It knows no calendar: every
 * occurrence is the one before it plus a minute, whatever the zone, so it is an oracle of its own.
 */
import { Violation } from '../violation.ts';

export const minuteMs = 60_000;

const clockOf = (ms: number): string => new Date(ms).toISOString().replace('.000', '');

/** What one schedule has to do, and how far it is. */
interface Line {
  /** Whether what was missed may be passed over instead of fired. */
  readonly passes: boolean;
  lastMs: number;
  fired: number;
}

export class FiringCheck {
  readonly #fromMs: number;
  readonly #lines = new Map<string, Line>();
  /** Of all schedules. */
  fired = 0;

  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  expect(name: string, passes: boolean): void {
    this.#lines.set(name, { passes, lastMs: this.#fromMs, fired: 0 });
  }

  /** A task was made for an occurrence. Throws where it is not the next one. */
  saw(name: string, occurrenceMs: number): void {
    const line = this.#lineOf(name);
    const stepMs = occurrenceMs - line.lastMs;
    if (stepMs <= 0) {
      throw wrong(name, `fires ${clockOf(occurrenceMs)} again, after ${clockOf(line.lastMs)}`);
    }
    if (stepMs % minuteMs !== 0) throw wrong(name, `fires between minutes, at ${occurrenceMs}`);
    if (stepMs > minuteMs && !line.passes) {
      throw wrong(name, `fires ${clockOf(occurrenceMs)} right after ${clockOf(line.lastMs)}`);
    }
    line.lastMs = occurrenceMs;
    line.fired++;
    this.fired++;
  }

  /**
   * In the end: each minute up to the cursor of a schedule fired, or was passed over by its rule,
   * and the schedule has counted them alike.
   */
  end(
    name: string,
    said: { readonly cursorMs: number; readonly fired: number; readonly passed: number },
    toMs: number,
  ): void {
    const line = this.#lineOf(name);
    if (said.cursorMs < toMs) {
      throw wrong(name, `ends at ${clockOf(said.cursorMs)}, and not at ${clockOf(toMs)}`);
    }
    if (line.fired !== said.fired) {
      throw wrong(name, `made ${line.fired} tasks and says ${said.fired}`);
    }
    const minutes = (said.cursorMs - this.#fromMs) / minuteMs;
    const passed = minutes - line.fired;
    if (passed !== said.passed || (passed !== 0 && !line.passes)) {
      throw wrong(
        name,
        `fired ${line.fired} of ${minutes}, and says it passed over ${said.passed}`,
      );
    }
  }

  #lineOf(name: string): Line {
    const line = this.#lines.get(name);
    if (line === undefined) throw wrong(name, 'fires, and nobody made it');
    return line;
  }
}

const wrong = (name: string, what: string): Violation =>
  new Violation('correctness', `schedule ${name} ${what}`);
