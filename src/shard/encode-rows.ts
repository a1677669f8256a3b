/** Rows of tasks as they are stored. */
import { ByteWriter } from '../model/bytes.ts';
import { digestLength, writeTaskKey } from './keys.ts';
import { idWordCount } from './memory/id-words.ts';
import { writeTaskRow } from './record.ts';
import { recordBodyOf } from './record-of.ts';
import type { ShardState } from './state.ts';

/**
 * Keys and values of tasks. They are views into one buffer: hundreds of tasks a flush are usual,
 * and memory of its own for each costs more than what is written to it.
 */
export function encodeRows(
  state: ShardState,
  rows: readonly number[],
): (readonly [key: Uint8Array, value: Uint8Array])[] {
  const { table, specs } = state;
  const words = new Uint32Array(idWordCount);
  const digest = new Uint32Array(digestLength / 4);
  const writer = new ByteWriter(128 * rows.length);
  const ends: number[] = [];
  for (const row of rows) {
    table.copyWords(row, words);
    specs.copyDigest(table.spec(row), digest);
    writeTaskKey(writer, words);
    ends.push(writer.length);
    writeTaskRow(writer, words, digest, recordBodyOf(state, row));
    ends.push(writer.length);
  }
  const bytes = writer.finish();
  return rows.map((_, place) => {
    const start = place === 0 ? 0 : ends[place * 2 - 1]!;
    const middle = ends[place * 2]!;
    return [bytes.subarray(start, middle), bytes.subarray(middle, ends[place * 2 + 1]!)];
  });
}
