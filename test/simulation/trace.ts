/**
 * What happened in a run, for people and for the proof that a seed decides everything: the newest
 * events in a ring, and a rolling hash over all of them.
 */

const kept = 300;

export class Trace {
  readonly #ring: string[] = [];
  #next = 0;
  #hash = 0x811c9dc5;
  readonly #now: () => number;
  /** Called with every line, for `--verbose`. */
  readonly #echo: ((line: string) => void) | undefined;
  lines = 0;

  constructor(now: () => number, echo?: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#echo = echo;
  }

  note(who: string, what: string): void {
    const line = `${this.#now().toFixed(1).padStart(10)} ${who.padEnd(6)} ${what}`;
    this.#ring[this.#next] = line;
    this.#next = (this.#next + 1) % kept;
    this.lines++;
    this.mix(line);
    this.#echo?.(line);
  }

  /** Folds something into the hash that is not worth a line. */
  mix(text: string): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at++) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    }
    this.#hash = hash >>> 0;
  }

  get hash(): number {
    return this.#hash;
  }

  /** The newest lines, oldest first. */
  last(): string[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }
}
