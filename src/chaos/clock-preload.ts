/**
 * Loaded into a node before its own code (`--import`): a wall clock that can be moved while the
 * node runs. The file that TSCHED_CHAOS_CLOCK names holds the milliseconds to add. Timers and the
 * monotonic clock stay true, as they do when a machine's clock is set. A node reads its wall clock
 * nowhere but here: LevelDB's own is for its log file only.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const readMs = 50;
const file = process.env['TSCHED_CHAOS_CLOCK'];

const TrueDate = Date;
let offsetMs = 0;

class MovedDate extends TrueDate {
  constructor(...args: [] | [number | string | Date]) {
    if (args.length === 0) super(MovedDate.now());
    else super(...(args as [number]));
  }

  static override now(): number {
    return TrueDate.now() + offsetMs;
  }
}

function read(path: string): void {
  try {
    const given = Number(readFileSync(path, 'utf8')) || 0;
    if (given === offsetMs) return;
    offsetMs = given;
    // Told to whoever moved it: without that, a clock that nobody moved would prove something.
    writeFileSync(`${path}.seen`, String(given));
  } catch {
    // Between two writings, or gone with the run: the clock stays where it is.
  }
}

if (file !== undefined) {
  globalThis.Date = MovedDate as DateConstructor;
  read(file);
  setInterval(() => read(file), readMs).unref();
}
