/**
 * Batch witnesses: every batch writes a small record under its own number and removes the one
 * `witnessWindow` before it. After an open the numbers have to be exactly the last window: a batch
 * that LevelDB lost shows as a gap, or, when it is older, as a record whose removal was lost. What
 * cannot show is the loss of the very last batches; for that there are the scan of the write-ahead
 * log and the mark.
 */
import type { BatchBuffer } from './batch-buffer.ts';
import { parseWitnessKey, prefixes, prefixRange, writeWitnessKey } from './keyspace.ts';
import { eachRecord } from './level-loader.ts';
import type { Database } from './level-log.ts';
import { unseal } from './record.ts';

/** How many batches back a loss is seen as a gap. Costs about two megabytes of disk. */
export const witnessWindow = 65_536;

/** Adds the witness of batch `seq`, numbered from 1 without gaps. */
export function encodeWitness(batch: BatchBuffer, seq: number): void {
  writeWitnessKey(batch.key(), seq);
  batch.value('witness');
  batch.seal();
  if (seq > witnessWindow) {
    writeWitnessKey(batch.key(), seq - witnessWindow);
    batch.remove();
  }
}

export interface WitnessFinding {
  /** Number of the last batch that is there. */
  readonly last: number;
  /** What is wrong, or `undefined`. */
  readonly problem: string | undefined;
}

/**
 * Checks the witnesses; those below `base` were given up and are not looked at. Batch `marked` is
 * known to have been acknowledged.
 */
export async function checkWitnesses(
  db: Database,
  base: number,
  marked: number,
): Promise<WitnessFinding> {
  const gaps: string[] = [];
  let lowest = 0;
  let last = 0;
  await eachRecord(db, prefixRange(prefixes.witness), (key, value) => {
    unseal('witness', key, value);
    const seq = parseWitnessKey(key) ?? 0;
    if (seq >= base) {
      if (lowest === 0) lowest = seq;
      else if (seq !== last + 1) gaps.push(`${last + 1} to ${seq - 1}`);
    }
    last = seq;
  });
  const expected = Math.max(base, last - witnessWindow + 1);
  let problem: string | undefined;
  if (lowest === 0) problem = 'all batch witnesses are missing';
  else if (gaps.length > 0) problem = `batches ${gaps.join(', ')} are missing`;
  else if (lowest > expected) problem = `batches ${expected} to ${lowest - 1} are missing`;
  else if (lowest < expected) problem = `the batch that removed witness ${lowest} is missing`;
  else if (last < marked) problem = `batches ${last + 1} to ${marked} are missing`;
  return { last, problem };
}
