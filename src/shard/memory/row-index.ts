/**
 * Finds the row of a table by a hash of what the row is known by: four bytes a place, of which half
 * to two thirds are taken. What is compared is in the columns of the table.
 *
 *     for (let place = index.home(hash); ; place = index.next(place)) {
 *       const row = index.at(place);
 *       if (row < 0 || isWanted(row)) return row;
 *     }
 */
import { homeOf, mayMove, morePlaces, nextPlace } from './open-table.ts';

const placesMin = 32;

export class RowIndex {
  readonly #hashOf: (row: number) => number;
  /** Row + 1, or 0 where the place is empty. */
  #places = new Uint32Array(placesMin);
  #size = 0;

  constructor(hashOf: (row: number) => number) {
    this.#hashOf = hashOf;
  }

  get bytes(): number {
    return this.#places.byteLength;
  }

  home(hash: number): number {
    return homeOf(hash, this.#places.length);
  }

  next(place: number): number {
    return nextPlace(place, this.#places.length);
  }

  /** The row at a place; -1 where there is none, and nothing more to be found. */
  at(place: number): number {
    return this.#places[place]! - 1;
  }

  /** Adds a row that is not there yet. */
  add(row: number): void {
    this.#size++;
    if (this.#size * 3 > this.#places.length * 2) this.#resize(morePlaces(this.#places.length));
    this.#put(row);
  }

  #put(row: number): void {
    let place = this.home(this.#hashOf(row));
    while (this.#places[place] !== 0) place = this.next(place);
    this.#places[place] = row + 1;
  }

  #resize(length: number): void {
    const old = this.#places;
    this.#places = new Uint32Array(length);
    for (const entry of old) if (entry !== 0) this.#put(entry - 1);
  }

  /** Takes a row out that was added; its hash is still the same. */
  remove(row: number): void {
    const places = this.#places;
    let hole = this.home(this.#hashOf(row));
    while (places[hole] !== row + 1) hole = this.next(hole);
    for (let place = this.next(hole); places[place] !== 0; place = this.next(place)) {
      const home = this.home(this.#hashOf(places[place]! - 1));
      if (!mayMove({ home, hole, place }, places.length)) continue;
      places[hole] = places[place]!;
      hole = place;
    }
    places[hole] = 0;
    this.#size--;
  }

  /** Forgets all rows, and gives the memory back. */
  clear(): void {
    this.#places = new Uint32Array(placesMin);
    this.#size = 0;
  }
}
