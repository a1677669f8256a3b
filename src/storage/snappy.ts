/**
 * Decompresses one block of Snappy, in which LevelDB keeps the indices of its tables. Format:
 * google/snappy, format_description.txt. Throws `RangeError` for bytes that are not such a block.
 */

const bytesMax = 64 * 1024 * 1024;

export function snappyDecompress(bytes: Uint8Array): Uint8Array {
  let at = 0;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw new RangeError('snappy: it ends too soon');
    return byte;
  };
  const little = (count: number): number => {
    let value = 0;
    for (let place = 0; place < count; place++) value += next() * 2 ** (8 * place);
    return value;
  };
  let size = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = next();
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (size > bytesMax) throw new RangeError(`snappy: a block of ${size} bytes`);
  const out = new Uint8Array(size);
  let length = 0;
  while (at < bytes.length) {
    const tag = next();
    const high = tag >>> 2;
    if ((tag & 3) === 0) {
      const count = high < 60 ? high + 1 : little(high - 59) + 1;
      if (at + count > bytes.length || length + count > size) {
        throw new RangeError('snappy: a literal is too long');
      }
      out.set(bytes.subarray(at, at + count), length);
      at += count;
      length += count;
      continue;
    }
    const short = (tag & 3) === 1;
    const count = short ? (high & 7) + 4 : high + 1;
    const offset = short ? (high >>> 3) * 256 + next() : little((tag & 3) === 2 ? 2 : 4);
    if (offset === 0 || offset > length || length + count > size) {
      throw new RangeError('snappy: a copy from nowhere');
    }
    // Byte by byte: a copy may overlap what it writes.
    for (let done = 0; done < count; done++, length++) out[length] = out[length - offset]!;
  }
  if (length !== size) throw new RangeError('snappy: it ends too soon');
  return out;
}
