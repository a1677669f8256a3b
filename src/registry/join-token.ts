/**
 * The token that a person carries from a cluster to a machine that shall join it: which cluster,
 * where it listens, the key of its private network and a secret that admits the node. Letters,
 * digits, `-` and `_` only, so that a double click selects it and no shell touches it.
 *
 *   "tsj_" base64url( version:u8  payloadBytes:u16  payload  crc32:u32 )
 *
 * The length tells a token that was cut short, the checksum one in which a character was changed.
 */
import { ByteReader, ByteWriter, DecodeError } from '../model/bytes.ts';

export interface JoinToken {
  /** Format, 1. */
  readonly version: number;
  readonly clusterId: string;
  /** Multiaddresses at which the cluster was listening, best first. */
  readonly addresses: readonly string[];
  /** 32 bytes. */
  readonly networkKey: Uint8Array;
  /** 16 to 64 random bytes. */
  readonly secret: Uint8Array;
}

export type JoinTokenReading =
  | ({ readonly ok: true } & JoinToken)
  | { readonly ok: false; readonly message: string };

const joinTokenVersion = 1;

const prefix = 'tsj_';
const headBytes = 3;
const crcBytes = 4;
const networkKeyBytes = 32;
const secretBytesMin = 16;
const secretBytesMax = 64;
const addressesMax = 16;
const textBytesMax = 256;
const tokenCharactersMax = 8_192;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Text of a token; throws `RangeError` for a key, secret or address list out of bounds. */
export function encodeJoinToken(token: JoinToken): string {
  const { version, networkKey, secret, addresses, clusterId } = token;
  if (version !== joinTokenVersion) throw new RangeError(`no join token version ${version}`);
  if (networkKey.length !== networkKeyBytes) throw new RangeError('the network key has 32 bytes');
  if (secret.length < secretBytesMin || secret.length > secretBytesMax) {
    throw new RangeError(`the secret has ${secretBytesMin} to ${secretBytesMax} bytes`);
  }
  if (addresses.length > addressesMax) throw new RangeError(`at most ${addressesMax} addresses`);
  const payload = new ByteWriter(256)
    .text(clusterId)
    .list(addresses, (writer, address) => writer.text(address))
    .raw(networkKey)
    .bytes(secret)
    .finish();
  const body = new ByteWriter(512).u8(version).u16(payload.length).raw(payload).finish();
  return prefix + toBase64Url(new ByteWriter(512).raw(body).u32(crc32(body)).finish());
}

/** Reads a token, with blanks around it allowed; the message of a refusal is for a person. */
export function decodeJoinToken(text: string): JoinTokenReading {
  const trimmed = text.trim();
  if (trimmed === '') return wrong('the join token is empty');
  if (!trimmed.startsWith(prefix)) {
    return wrong(`this is not a join token: one starts with "${prefix}"`);
  }
  if (trimmed.length > tokenCharactersMax) return wrong('the join token is too long');
  const characters = trimmed.slice(prefix.length);
  const alien = /[^A-Za-z0-9_-]/.exec(characters);
  if (alien !== null) {
    return wrong(`the join token has a character that does not belong there: "${alien[0]}"`);
  }
  const bytes = fromBase64Url(characters);
  if (bytes.length < headBytes) return wrong('the join token was cut short');
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== joinTokenVersion) {
    return wrong(`the join token has version ${version}, this program reads ${joinTokenVersion}`);
  }
  const length = headBytes + reader.u16() + crcBytes;
  const wanted = prefix.length + Math.ceil((length * 4) / 3);
  if (trimmed.length < wanted) {
    return wrong(`the join token was cut short: ${trimmed.length} of ${wanted} characters`);
  }
  if (trimmed.length > wanted) {
    return wrong(`the join token has ${trimmed.length - wanted} characters too many`);
  }
  const sum = new ByteReader(bytes.subarray(length - crcBytes, length)).u32();
  if (sum !== crc32(bytes.subarray(0, length - crcBytes))) {
    return wrong('the join token is damaged: a character was changed');
  }
  return readPayload(bytes.subarray(headBytes, length - crcBytes), version);
}

const wrong = (message: string): JoinTokenReading => ({ ok: false, message });

function readPayload(payload: Uint8Array, version: number): JoinTokenReading {
  try {
    const reader = new ByteReader(payload);
    const clusterId = reader.text(textBytesMax);
    const addresses = reader.list(r => r.text(textBytesMax), addressesMax);
    const networkKey = reader.raw(networkKeyBytes).slice();
    const secret = reader.bytesCopy(secretBytesMax);
    reader.end('join token');
    if (secret.length < secretBytesMin) return wrong('the secret in the join token is too short');
    return { ok: true, version, clusterId, addresses, networkKey, secret };
  } catch (error) {
    if (error instanceof DecodeError) return wrong(`the join token is malformed: ${error.message}`);
    throw error;
  }
}

/** CRC-32 as in IEEE 802.3, reflected, polynomial 0xedb88320. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** RFC 4648 section 5, without padding. */
function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet[(held >>> bits) & 63];
    }
  }
  if (bits > 0) text += alphabet[(held << (6 - bits)) & 63];
  return text;
}

/** Characters outside the alphabet must have been refused before. */
function fromBase64Url(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const character of text) {
    held = ((held << 6) | alphabet.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >>> bits) & 0xff;
    }
  }
  return bytes;
}
