/**
 * What the hash tables of this folder have in common: open addressing with linear probing, in any
 * number of places. A large table grows by a quarter, so that it is not half empty afterwards; one
 * gives memory back once an eighth of it is in use.
 */

export const placesMin = 16;

/** Places beyond which a table no longer doubles. */
const doublingMax = 8_192;

/** How many places a table is to have that is too full. */
export const morePlaces = (places: number): number =>
  places < doublingMax ? places * 2 : places + (places >>> 2);

export const isRoomy = (used: number, places: number): boolean =>
  used * 8 < places && places > placesMin;

/** How many places a table is to have that is roomy. */
export const fewerPlaces = (places: number): number => Math.max(placesMin, places >>> 1);

/** Where the search for something with this hash begins; goes by its high bits. */
export const homeOf = (hash: number, places: number): number =>
  ((hash >>> 0) * places * 2 ** -32) >>> 0;

/** The place that is tried after this one. */
export const nextPlace = (place: number, places: number): number =>
  place + 1 === places ? 0 : place + 1;

/**
 * Whether what has its home at `home` and lies at `place` may move up to a `hole` before it: not
 * where the search for it would begin behind the hole.
 */
export const mayMove = (
  { home, hole, place }: { home: number; hole: number; place: number },
  places: number,
): boolean => distance(home, place, places) >= distance(hole, place, places);

const distance = (from: number, to: number, places: number): number =>
  to >= from ? to - from : to - from + places;

/** Entries of so many words in one array. */
interface Entries {
  readonly entries: Uint32Array;
  readonly words: number;
  /** Word of an entry that is 0 where the place is empty. */
  readonly marker: number;
  /** Place at which the search for the entry at this offset begins. */
  homeAt(at: number): number;
}

/** Empties the entry at `at`: what probed past it moves up, so that no tombstones pile up. */
export function removeAt({ entries, words, marker, homeAt }: Entries, at: number): void {
  const places = entries.length / words;
  let hole = at / words;
  let place = nextPlace(hole, places);
  for (; entries[place * words + marker] !== 0; place = nextPlace(place, places)) {
    if (!mayMove({ home: homeAt(place * words), hole, place }, places)) continue;
    entries.copyWithin(hole * words, place * words, (place + 1) * words);
    hole = place;
  }
  entries.fill(0, hole * words, (hole + 1) * words);
}
