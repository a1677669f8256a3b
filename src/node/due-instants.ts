/**
 * When each schedule of a shard is due. Its leader looks whenever some have fired, which is many
 * times a minute where firings are spread: a look compares one number a schedule, and asks the
 * calendar only about those that have moved on.
 */
import type { Standing } from '../shard/schedule-rows.ts';
import type { Schedule, ScheduleBook } from '../shard/schedules.ts';

interface Dues {
  /** In the order of the book. */
  readonly due: readonly Schedule[];
  /** When the next of the others will be; infinite where none will. */
  readonly nextMs: number;
}

export class DueInstants {
  readonly #dueMs: (schedule: Schedule) => number;
  #book: ScheduleBook | undefined;
  /** Of the book, when all of it was looked at. */
  #comings = 0;
  #changes = 0;
  readonly #places = new Map<Schedule, number>();
  #schedules: readonly Schedule[] = [];
  #instants = new Float64Array(0);
  /** How far each was when the calendar was asked about it. */
  #standings: (Standing | undefined)[] = [];

  constructor(dueMs: (schedule: Schedule) => number) {
    this.#dueMs = dueMs;
  }

  /** Those that are due at an instant. */
  upTo(wallMs: number, book: ScheduleBook): Dues {
    this.#follow(book);
    const due: Schedule[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    const instants = this.#instants;
    for (let place = 0; place < instants.length; place++) {
      const dueMs = instants[place]!;
      if (dueMs <= wallMs) due.push(this.#schedules[place]!);
      else if (dueMs < nextMs) nextMs = dueMs;
    }
    return { due, nextMs };
  }

  #follow(book: ScheduleBook): void {
    const isKnown = book === this.#book && book.comings === this.#comings;
    if (!isKnown) this.#learn(book);
    const changed = isKnown ? book.changedSince(this.#changes) : undefined;
    for (const schedule of changed ?? this.#schedules) {
      const place = this.#places.get(schedule)!;
      const known = this.#standings[place];
      this.#standings[place] = schedule.standing;
      if (known !== undefined && isAsFar(known, schedule.standing)) continue;
      this.#instants[place] = this.#dueMs(schedule);
    }
    this.#changes = book.changes;
  }

  /** Schedules have come or gone. */
  #learn(book: ScheduleBook): void {
    this.#book = book;
    this.#comings = book.comings;
    this.#schedules = [...book.all()];
    this.#instants = new Float64Array(this.#schedules.length);
    this.#standings = new Array(this.#schedules.length).fill(undefined);
    this.#places.clear();
    for (const [place, schedule] of this.#schedules.entries()) this.#places.set(schedule, place);
  }
}

/** Whether the same occurrence is the next: mostly only one of its tasks has settled. */
const isAsFar = (left: Standing, right: Standing): boolean =>
  left.cursorMs === right.cursorMs && left.paused === right.paused && left.left === right.left;
