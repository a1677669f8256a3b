/** Rows of tasks as they are stored. */
import { ByteWriter } from '../model/bytes.ts';
import { digestLength, writeTaskKey } from './keys.ts';
import { idWordCount } from './memory/id-words.ts';
import { isSettledCode } from './memory/task-table.ts';
import { writeTaskRow } from './record.ts';
import { recordBodyOf } from './record-of.ts';
import { failureRules } from './rules.ts';
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
  // What every node of the cluster reads, as the shard has adopted the rules of that version.
  const keepTerms = state.rules >= failureRules;
  const words = new Uint32Array(idWordCount);
  const digest = new Uint32Array(digestLength / 4);
  const writer = new ByteWriter(160 * rows.length);
  const ends: number[] = [];
  for (const row of rows) {
    const spec = table.spec(row);
    const kept = keepTerms && !isSettledCode(table.state(row));
    table.copyWords(row, words);
    specs.copyDigest(spec, digest);
    writeTaskKey(writer, words);
    ends.push(writer.length);
    const terms = kept ? specs.keptTerms(spec) : undefined;
    writeTaskRow(writer, words, digest, recordBodyOf(state, row), terms);
    ends.push(writer.length);
  }
  const bytes = writer.finish();
  return rows.map((_, place) => {
    const start = place === 0 ? 0 : ends[place * 2 - 1]!;
    const middle = ends[place * 2]!;
    return [bytes.subarray(start, middle), bytes.subarray(middle, ends[place * 2 + 1]!)];
  });
}
