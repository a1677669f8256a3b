/** Specifications in the commands of a shard. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { limits } from './limits.ts';

/** `encodeSpec` bytes with the first 16 bytes of their sha256. */
export interface SpecEntry {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

export function writeSpecEntry(writer: ByteWriter, spec: SpecEntry): void {
  writer.raw(spec.digest).bytes(spec.bytes);
}

export const readSpecEntry = (reader: ByteReader): SpecEntry => ({
  digest: reader.raw(16),
  bytes: reader.bytes(limits.specBytesMax),
});
