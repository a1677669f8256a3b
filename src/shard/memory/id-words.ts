/**
 * Task IDs as four words of 25 bits: 20 characters of 5 bits are 100 bits, so a word holds five
 * characters and words compare in the order of the text. Memory keeps IDs in this form (16 bytes
 * where a string takes 40), and text only exists on the way in and out.
 */
import { idLength, type TaskId } from '../../model/ids.ts';
import { mix32 } from '../../model/slots.ts';

/** Words of one ID. */
export const idWordCount = 4;
/** Bits a word uses; the rest is free for whoever stores it. */
export const idWordMask = 0x1ffffff;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const charactersPerWord = 5;
const codeOf = Uint8Array.from(alphabet, character => character.charCodeAt(0));
const valueByCode = new Int8Array(128).fill(-1);
codeOf.forEach((code, value) => {
  valueByCode[code] = value;
});

/**
 * Writes the words of `id` to `out`; false, with `out` undefined, where `id` is not the canonical
 * spelling of an ID.
 */
export function packId(id: string, out: Uint32Array): boolean {
  if (id.length !== idLength) return false;
  for (let word = 0, position = 0; word < idWordCount; word++) {
    let packed = 0;
    for (const end = position + charactersPerWord; position < end; position++) {
      const code = id.charCodeAt(position);
      const value = code < 128 ? valueByCode[code]! : -1;
      if (value < 0) return false;
      packed = (packed << 5) | value;
    }
    out[word] = packed;
  }
  return true;
}

/** Code of the character that `shift` bits of a word stand behind. */
export const characterCode = (word: number, shift: number): number =>
  codeOf[(word >>> shift) & 31]!;

/** The text of an ID. Bits beyond the 25 of a word are ignored. */
export function unpackId(a: number, b: number, c: number, d: number): TaskId {
  return String.fromCharCode(
    characterCode(a, 20),
    characterCode(a, 15),
    characterCode(a, 10),
    characterCode(a, 5),
    characterCode(a, 0),
    characterCode(b, 20),
    characterCode(b, 15),
    characterCode(b, 10),
    characterCode(b, 5),
    characterCode(b, 0),
    characterCode(c, 20),
    characterCode(c, 15),
    characterCode(c, 10),
    characterCode(c, 5),
    characterCode(c, 0),
    characterCode(d, 20),
    characterCode(d, 15),
    characterCode(d, 10),
    characterCode(d, 5),
    characterCode(d, 0),
  ) as TaskId;
}

/** 32-bit hash of an ID. Time and slot are in the high words, the random part in the low ones. */
export function hashWords(a: number, b: number, c: number, d: number): number {
  const low = Math.imul(d, 0x9e3779b1) ^ Math.imul(c, 0x85ebca77);
  return mix32(low ^ Math.imul(b, 0xc2b2ae3d) ^ Math.imul(a, 0x27d4eb2f));
}
