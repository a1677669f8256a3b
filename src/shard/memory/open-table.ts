/** Removing from the open-addressing tables of this folder that keep their entries in one array. */

/** Entries of so many words in a table of places, a power of two. */
interface Places {
  readonly entries: Uint32Array;
  readonly words: number;
  readonly mask: number;
  /** Word of an entry that is 0 where the place is empty. */
  readonly marker: number;
  /** Where the search for the entry at this offset begins. */
  homeOf(at: number): number;
}

/** Empties the entry at `at`: what probed past it moves up, so that no tombstones pile up. */
export function removeAt({ entries, words, mask, marker, homeOf }: Places, at: number): void {
  let hole = at / words;
  for (let place = (hole + 1) & mask; entries[place * words + marker] !== 0; ) {
    if (((place - homeOf(place * words)) & mask) >= ((place - hole) & mask)) {
      entries.copyWithin(hole * words, place * words, (place + 1) * words);
      hole = place;
    }
    place = (place + 1) & mask;
  }
  entries.fill(0, hole * words, (hole + 1) * words);
}
