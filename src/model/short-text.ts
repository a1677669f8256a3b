/**
 * Short texts from bytes. Most of what is read from a log or a wire are IDs and names, for which
 * calling the decoder of the platform takes longer than to put them together here.
 */
import { idLength } from './ids.ts';

/** Texts of so many bytes are mostly IDs and names. */
export const shortMax = 20;
/** The newest short texts by a hash, so that a name that comes again and again is made once. */
const knownTexts: string[] = new Array<string>(4_096).fill('');
const fromCodes = String.fromCharCode;

/** The 20 characters of an ID: at once, as parts would have to be put together at the first use. */
function idText(bytes: Uint8Array, at: number): string | undefined {
  let all = 0;
  for (let position = at; position < at + idLength; position++) all |= bytes[position]!;
  if (all > 0x7f) return undefined;
  return fromCodes(
    bytes[at]!,
    bytes[at + 1]!,
    bytes[at + 2]!,
    bytes[at + 3]!,
    bytes[at + 4]!,
    bytes[at + 5]!,
    bytes[at + 6]!,
    bytes[at + 7]!,
    bytes[at + 8]!,
    bytes[at + 9]!,
    bytes[at + 10]!,
    bytes[at + 11]!,
    bytes[at + 12]!,
    bytes[at + 13]!,
    bytes[at + 14]!,
    bytes[at + 15]!,
    bytes[at + 16]!,
    bytes[at + 17]!,
    bytes[at + 18]!,
    bytes[at + 19]!,
  );
}

/** A short text; `undefined` where it is not ASCII. The decoder would take longer to be called. */
export function shortAscii(bytes: Uint8Array, at: number, length: number): string | undefined {
  if (length === idLength) return idText(bytes, at);
  const end = at + length;
  let all = 0;
  let hash = length;
  for (let position = at; position < end; position++) {
    const code = bytes[position]!;
    all |= code;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  if (all > 0x7f) return undefined;
  const place = (hash ^ (hash >>> 15)) & (knownTexts.length - 1);
  const known = knownTexts[place]!;
  if (known.length === length) {
    let same = 0;
    while (same < length && known.charCodeAt(same) === bytes[at + same]) same++;
    if (same === length) return known;
  }
  let text = '';
  let next = at;
  for (; next + 4 <= end; next += 4) {
    text += fromCodes(bytes[next]!, bytes[next + 1]!, bytes[next + 2]!, bytes[next + 3]!);
  }
  for (; next < end; next++) text += fromCodes(bytes[next]!);
  knownTexts[place] = text;
  return text;
}
