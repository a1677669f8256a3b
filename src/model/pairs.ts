/** Pairs of a name and a text, in order: labels, variables. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { limits } from './limits.ts';

export type Pairs = readonly (readonly [string, string])[];

export function writePairs(writer: ByteWriter, pairs: Pairs): void {
  writer.list(pairs, (w, [key, value]) => w.text(key).text(value));
}

export function readPairs(reader: ByteReader): [string, string][] {
  return reader.list(r => [r.text(limits.envBytesMax), r.text(limits.envBytesMax)], 10_000);
}
