/** Chance from a seed: the same numbers in the same order, on every machine. */

/** A whole number from 0 and below `bound`, which must be at least 1. */
export type Draw = (bound: number) => number;

/** A generator of its own for every purpose, so that one more draw of one does not move others. */
export function makeDraw(seed: number, purpose = 0): Draw {
  // splitmix32: any state is a good one, zero included.
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(purpose + 1, 0x85ebca6b)) >>> 0;
  return bound => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % bound;
  };
}

/** From `least` to `most`, both included. */
export const drawBetween = (draw: Draw, least: number, most: number): number =>
  least + draw(most - least + 1);
