/**
 * How many are after the same room, as one leader can tell from what workers refuse. Where more
 * tasks come than there is room on the lowest tier that suffices, each leader sees the same few
 * rooms there, and all but one of those that go for one are refused. So a leader that is refused
 * looks for rooms that would hold more than its one task (`rank.ts`), and for fewer again as it is
 * accepted, or as time goes by: about one placement in ten is refused in a crowd, and without one
 * nothing changes. Where there is less room than that anywhere, it leaves it to others as often as
 * not all of them can have it (`plan.ts`).
 */
const most = 256;
/** What one refusal adds is taken back by about nine acceptances. */
const refusedFactor = 1.5;
const acceptedFactor = 0.95;
const halfLifeMs = 10_000;

export class Crowd {
  #size = 1;
  #atMs = 0;

  /** Tasks that rooms are to be found for, 1 for one's own alone. */
  size(nowMs: number): number {
    this.#fade(nowMs);
    return Math.floor(this.#size);
  }

  refused(nowMs: number): void {
    this.#fade(nowMs);
    this.#size = Math.min(most, this.#size * refusedFactor + 0.5);
  }

  accepted(nowMs: number): void {
    this.#fade(nowMs);
    this.#size = Math.max(1, this.#size * acceptedFactor);
  }

  #fade(nowMs: number): void {
    this.#size = 1 + (this.#size - 1) * 2 ** ((this.#atMs - nowMs) / halfLifeMs);
    this.#atMs = nowMs;
  }
}
