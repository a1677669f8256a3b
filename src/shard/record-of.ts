/** A task of the state in the form in which it is stored, shown and compared. */
import { ByteWriter } from '../model/bytes.ts';
import { taskStates } from '../model/task.ts';
import { digestLength, writeTaskKey } from './keys.ts';
import { idWordCount } from './memory/id-words.ts';
import { type TaskRecord, type TaskRecordBody, writeTaskRow } from './record.ts';
import type { ShardState } from './state.ts';

export function recordOf(state: ShardState, row: number): TaskRecord {
  const { table, specs } = state;
  const digest = specs.digestHex(table.spec(row));
  return { id: table.id(row), digest, ...recordBodyOf(state, row) };
}

export function recordBodyOf(state: ShardState, row: number): TaskRecordBody {
  const { table, specs, lines } = state;
  const detail = table.detail(row);
  const spec = table.spec(row);
  const key = specs.key(spec);
  const attempts = detail?.ended ?? [];
  return {
    keyHash: key && { high: key.high, low: key.low },
    tenant: specs.traits(spec).tenant,
    state: taskStates[table.state(row)]!,
    fence: table.fence(row),
    runs: table.runs(row),
    lost: table.lost(row),
    submittedAtMs: table.submittedAt(row),
    readySinceMs: table.readySince(row),
    backedOff: table.isBackedOff(row),
    holds: table.holds(row),
    boundMissed: table.hasMissedBound(row),
    lineNumber: lines.number(row),
    supervisorsLost: detail?.supervisorsLost || undefined,
    settledAtMs: detail?.settledAtMs || undefined,
    retryOf: detail?.retryOf,
    arrayId: detail?.arrayId,
    arrayIndex: detail?.arrayIndex,
    cancelRequested: detail?.cancelRequested,
    avoid: detail?.avoid ?? [],
    attempts: detail?.live ? [...attempts, detail.live] : attempts,
    outcome: detail?.outcome,
    reason: detail?.reason ?? '',
  };
}

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
