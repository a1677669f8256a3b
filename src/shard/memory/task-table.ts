/**
 * The tasks of a shard that are in memory, as columns: one typed array per field, one row per task,
 * rows reused through a free list. A waiting task takes 47 bytes here, a place in the index and no
 * object, so a million of them cost the garbage collector nothing. What only those have that were
 * given to a node, or differ otherwise from most, is in a `TaskDetail`.
 *
 * Row numbers are local to this process: they never enter a decision, a stored row or an order.
 * Instants are integers below 2^53 and kept in `Float64Array`, which holds those exactly.
 */
import { assert } from '../../model/assert.ts';
import type { TaskId } from '../../model/ids.ts';
import { grown, resize8, resize32, resize64, type Words } from './columns.ts';
import { hashWords, idWordCount, unpackId } from './id-words.ts';
import { RowIndex } from './row-index.ts';
import { emptyDetail, type TaskDetail } from './task-detail.ts';

/** Positions in `taskStates`. */
export const stateCode = {
  waiting: 0,
  assigned: 1,
  running: 2,
  succeeded: 3,
  failed: 4,
  cancelled: 5,
  aborted: 6,
} as const;

export const isSettledCode = (code: number): boolean => code >= stateCode.succeeded;

/** No row, and no place in a heap. */
export const none = 0xffffffff;

const capacityMin = 64;
/** Of the columns. */
const bytesPerRow = idWordCount * 4 + 4 + 1 + 1 + 8 + 8 + 4 + 4 + 1;
const stateMask = 0x07;
const freeFlag = 0x08;
const dirtyFlag = 0x10;
/** The row has a detail. */
const detailFlag = 0x20;
const backedOffFlag = 0x40;
const missedFlag = 0x80;

/**
 * Rows are numbers that `insert` returned; giving any other is a bug, which is why the reads below
 * may say that there is a value.
 */
export class TaskTable {
  #capacity = capacityMin;
  #rowsEnd = 0;
  #size = 0;
  #firstFree = none;
  #words: Words = new Uint32Array(capacityMin * idWordCount);
  #specs: Words = new Uint32Array(capacityMin);
  #flags = new Uint8Array(capacityMin);
  #holds = new Uint8Array(capacityMin);
  #submittedAt = new Float64Array(capacityMin);
  #readySince = new Float64Array(capacityMin);
  /** Place in a ready heap; of a free row, the next free one. */
  #places: Words = new Uint32Array(capacityMin);
  /** Place in the heap of those that are due at some instant. */
  #duePlaces: Words = new Uint32Array(capacityMin);
  /** Token of the newest flush that took the row. */
  #taken = new Uint8Array(capacityMin);
  readonly #details = new Map<number, TaskDetail>();
  readonly #index = new RowIndex(row => this.#hashOf(row));

  get size(): number {
    return this.#size;
  }

  /** Every row number is below this. */
  get rowsEnd(): number {
    return this.#rowsEnd;
  }

  /** Of the columns and the index; what details refer to is not counted. */
  get bytes(): number {
    return this.#capacity * bytesPerRow + this.#index.bytes;
  }

  #setCapacity(capacity: number): void {
    this.#words = resize32(this.#words, capacity * idWordCount);
    this.#specs = resize32(this.#specs, capacity);
    this.#flags = resize8(this.#flags, capacity);
    this.#holds = resize8(this.#holds, capacity);
    this.#submittedAt = resize64(this.#submittedAt, capacity);
    this.#readySince = resize64(this.#readySince, capacity);
    this.#places = resize32(this.#places, capacity);
    this.#duePlaces = resize32(this.#duePlaces, capacity);
    this.#taken = resize8(this.#taken, capacity);
    this.#capacity = capacity;
  }

  #hashOf(row: number): number {
    const words = this.#words;
    const at = row * idWordCount;
    return hashWords(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  /** Adds a waiting task whose ID is not there yet; the row's other fields are 0. */
  insert(id: Uint32Array): number {
    let row = this.#firstFree;
    if (row === none) {
      if (this.#rowsEnd === this.#capacity) this.#setCapacity(grown(this.#capacity));
      row = this.#rowsEnd++;
    } else {
      this.#firstFree = this.#places[row]!;
    }
    for (let word = 0; word < idWordCount; word++)
      this.#words[row * idWordCount + word] = id[word]!;
    this.#specs[row] = 0;
    this.#flags[row] = stateCode.waiting;
    this.#holds[row] = 0;
    this.#submittedAt[row] = 0;
    this.#readySince[row] = 0;
    this.#places[row] = none;
    this.#duePlaces[row] = none;
    this.#taken[row] = 0;
    this.#size++;
    this.#index.add(row);
    return row;
  }

  /** Row of an ID, or -1. */
  find(id: Uint32Array): number {
    const [a, b, c, d] = [id[0]!, id[1]!, id[2]!, id[3]!];
    const index = this.#index;
    const words = this.#words;
    for (let place = index.home(hashWords(a, b, c, d)); ; place = index.next(place)) {
      const row = index.at(place);
      if (row < 0) return -1;
      const at = row * idWordCount;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) {
        return row;
      }
    }
  }

  remove(row: number): void {
    this.#index.remove(row);
    if (this.#hasDetail(row)) this.#details.delete(row);
    this.#flags[row] = freeFlag;
    this.#places[row] = this.#firstFree;
    this.#firstFree = row;
    this.#size--;
    if (this.#size === 0 && this.#capacity > 65_536) this.#reset();
  }

  /** Gives the memory of a large table back once it is empty. */
  #reset(): void {
    this.#rowsEnd = 0;
    this.#firstFree = none;
    this.#setCapacity(capacityMin);
    this.#index.clear();
  }

  isTask(row: number): boolean {
    return (this.#flags[row]! & freeFlag) === 0;
  }

  id(row: number): TaskId {
    const at = row * idWordCount;
    const words = this.#words;
    return unpackId(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  copyWords(row: number, out: Uint32Array): void {
    for (let word = 0; word < idWordCount; word++) out[word] = this.#words[row * 4 + word]!;
  }

  wordsOf(row: number): Uint32Array {
    return this.#words.slice(row * idWordCount, (row + 1) * idWordCount);
  }

  /** Position in `taskStates`. */
  state(row: number): number {
    return this.#flags[row]! & stateMask;
  }

  setState(row: number, code: number): void {
    this.#flags[row] = (this.#flags[row]! & ~stateMask) | code;
  }

  spec(row: number): number {
    return this.#specs[row]!;
  }

  setSpec(row: number, spec: number): void {
    this.#specs[row] = spec;
  }

  /** Fence of the newest assignment; 0 before the first. */
  fence(row: number): number {
    return this.detail(row)?.fence ?? 0;
  }

  setFence(row: number, fence: number): void {
    assert(Number.isSafeInteger(fence), 'a task is assigned less than 2^32 times an epoch');
    if (fence !== this.fence(row)) this.ensureDetail(row).fence = fence;
  }

  /** Attempts that ended and count. */
  runs(row: number): number {
    return this.detail(row)?.runs ?? 0;
  }

  setRuns(row: number, runs: number): void {
    if (runs !== this.runs(row)) this.ensureDetail(row).runs = runs;
  }

  /** Attempts that ended with their node. */
  lost(row: number): number {
    return this.detail(row)?.lost ?? 0;
  }

  setLost(row: number, lost: number): void {
    if (lost !== this.lost(row)) this.ensureDetail(row).lost = lost;
  }

  /** Bits of `holdKinds`: while there is one, the task is not in the ready queue. */
  holds(row: number): number {
    return this.#holds[row]!;
  }

  setHolds(row: number, holds: number): void {
    this.#holds[row] = holds;
  }

  submittedAt(row: number): number {
    return this.#submittedAt[row]!;
  }

  setSubmittedAt(row: number, instantMs: number): void {
    this.#submittedAt[row] = instantMs;
  }

  /** State time at which the task became ready, or will: then `isBackedOff` says so. */
  readySince(row: number): number {
    return this.#readySince[row]!;
  }

  setReadySince(row: number, instantMs: number): void {
    this.#readySince[row] = instantMs;
  }

  /** The task waits after a failed run, not before `readySince`. */
  isBackedOff(row: number): boolean {
    return (this.#flags[row]! & backedOffFlag) !== 0;
  }

  setBackedOff(row: number, value: boolean): void {
    const flags = this.#flags[row]!;
    this.#flags[row] = value ? flags | backedOffFlag : flags & ~backedOffFlag;
  }

  /** Its start bound passed before it had started, and that was told. */
  hasMissedBound(row: number): boolean {
    return (this.#flags[row]! & missedFlag) !== 0;
  }

  setMissedBound(row: number, value: boolean): void {
    const flags = this.#flags[row]!;
    this.#flags[row] = value ? flags | missedFlag : flags & ~missedFlag;
  }

  isDirty(row: number): boolean {
    return (this.#flags[row]! & dirtyFlag) !== 0;
  }

  setDirty(row: number, value: boolean): void {
    const flags = this.#flags[row]!;
    this.#flags[row] = value ? flags | dirtyFlag : flags & ~dirtyFlag;
  }

  taken(row: number): number {
    return this.#taken[row]!;
  }

  setTaken(row: number, token: number): void {
    this.#taken[row] = token;
  }

  place(row: number): number {
    return this.#places[row]!;
  }

  setPlace(row: number, place: number): void {
    this.#places[row] = place;
  }

  duePlace(row: number): number {
    return this.#duePlaces[row]!;
  }

  setDuePlace(row: number, place: number): void {
    this.#duePlaces[row] = place;
  }

  #hasDetail(row: number): boolean {
    return (this.#flags[row]! & detailFlag) !== 0;
  }

  detail(row: number): TaskDetail | undefined {
    return this.#hasDetail(row) ? this.#details.get(row) : undefined;
  }

  /** The row's detail, made where there was none. */
  ensureDetail(row: number): TaskDetail {
    const known = this.detail(row);
    if (known !== undefined) return known;
    const detail = emptyDetail();
    this.#details.set(row, detail);
    this.#flags[row]! |= detailFlag;
    return detail;
  }

  /** By `readySince`, then by ID. Total. */
  isBefore(left: number, right: number): boolean {
    const byTime = this.#readySince[left]! - this.#readySince[right]!;
    return byTime !== 0 ? byTime < 0 : this.isIdBefore(left, right);
  }

  isIdBefore(left: number, right: number): boolean {
    const words = this.#words;
    const l = left * idWordCount;
    const r = right * idWordCount;
    for (let word = 0; word < idWordCount; word++) {
      const difference = words[l + word]! - words[r + word]!;
      if (difference !== 0) return difference < 0;
    }
    return false;
  }
}
