/** Time as the rooms with IO see it. The simulator supplies its own. */
export interface Clock {
  /** Monotonic milliseconds, never stepped, of no particular origin. Ticks and deadlines use it. */
  nowMs(): number;
  /** Milliseconds since the epoch; stamped into commands, shown to people, trusted by nothing. */
  wallMs(): number;
  /**
   * Milliseconds of CLOCK_BOOTTIME: monotonic, goes on during suspend, shared by all processes of a
   * machine.
   */
  bootMs(): number;
  /** Calls `fire` once after `delayMs`; the returned function cancels. */
  after(delayMs: number, fire: () => void): () => void;
}

/** A seeded or a real source of randomness. */
export interface Random {
  /** Uniform over the 32-bit unsigned integers. */
  uint32(): number;
}
