/**
 * Looks through LevelDB's write-ahead log before LevelDB does. On one bad byte the bundled LevelDB
 * drops the rest of a 32 KiB block, acknowledged batches with it, goes on behind it, and says
 * nothing; afterwards the evidence is gone, because opening rewrites the log.
 *
 * Since batches go one at a time and each is synced before the next, only the last one can be half
 * there after a crash. So a bad place is
 * - `torn`: the file ends inside it, or parts of the last batch never reached the disk (a sector of
 *   zeros): the normal trace of a crash, LevelDB drops that batch, and nobody was told of it;
 * - `corrupt`: another batch begins after it, so what is lost was acknowledged;
 * - `ambiguous`: the last batch has its full length and bytes, and a wrong checksum.
 *
 * File format, of the manifest too: LevelDB's doc/log_format.md. Blocks of 32 KiB; records of
 * crc32c (masked, over type and payload), length:u16, type:u8 (full, first, middle, last), payload;
 * little-endian.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, maskCrc } from './crc32c.ts';

const blockBytes = 32 * 1024;
const headerBytes = 7;
const sectorBytes = 512;
const full = 1;
const first = 2;
const last = 4;

export type WalVerdict = 'clean' | 'torn' | 'ambiguous' | 'corrupt';

export interface WalFinding {
  readonly verdict: WalVerdict;
  /** Offset of the first bad place, or the size of the file. */
  readonly offset: number;
  /** Whole batches before it. */
  readonly batches: number;
}

interface Physical {
  readonly state: 'good' | 'cut' | 'bad';
  readonly type: number;
  readonly end: number;
}

const wrong = (state: 'cut' | 'bad'): Physical => ({ state, type: 0, end: 0 });

/** The record at `at`: good, cut off by the end of the file, or bad. */
function recordAt(bytes: Uint8Array, view: DataView, at: number): Physical {
  if (at + headerBytes > bytes.length) return wrong('cut');
  const length = view.getUint16(at + 4, true);
  const type = bytes[at + 6]!;
  const end = at + headerBytes + length;
  if (type < full || type > last) return wrong('bad');
  if (headerBytes + length > blockBytes - (at % blockBytes)) return wrong('bad');
  if (end > bytes.length) return wrong('cut');
  if (maskCrc(crc32c(bytes, at + 6, end)) !== view.getUint32(at, true)) return wrong('bad');
  return { state: 'good', type, end };
}

/** Where the record after `at` starts: the last bytes of a block are too short for a header. */
const nextStart = (at: number): number => {
  const left = blockBytes - (at % blockBytes);
  return left < headerBytes ? at + left : at;
};

/** Whether a batch begins anywhere behind a bad place. Looks at every offset of damaged blocks. */
function batchBeginsAfter(bytes: Uint8Array, view: DataView, from: number): boolean {
  let at = from + 1;
  while (at < bytes.length) {
    at = nextStart(at);
    const record = recordAt(bytes, view, at);
    if (record.state === 'good') {
      if (record.type === full || record.type === first) return true;
      at = record.end;
    } else {
      at++;
    }
  }
  return false;
}

/** A shorter run of zeros at the very end may be content. */
const tailBytesMin = 64;

/** Whether parts of a batch read as zeros: sectors that were never written. */
function isHollow(bytes: Uint8Array, from: number, bad: number): boolean {
  const zeros = (start: number, end: number): boolean =>
    bytes.subarray(start, end).every(byte => byte === 0);
  if (zeros(bad, bytes.length)) return true;
  for (
    let at = Math.ceil(from / sectorBytes) * sectorBytes;
    at + tailBytesMin <= bytes.length;
    at += sectorBytes
  ) {
    if (zeros(at, Math.min(at + sectorBytes, bytes.length))) return true;
  }
  return false;
}

/** Judges the bytes of one write-ahead log. */
export function scanWal(bytes: Uint8Array): WalFinding {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let batches = 0;
  /** Where the batch that is not complete yet began, or -1. */
  let begun = -1;
  let at = 0;
  for (;;) {
    at = nextStart(at);
    if (at >= bytes.length) break;
    const record = recordAt(bytes, view, at);
    const starts = record.type === full || record.type === first;
    if (record.state !== 'good' || starts !== begun < 0) {
      const since = begun < 0 ? at : begun;
      // A good record in the wrong place is a beginning behind a batch that never ended, or an end
      // without a beginning: data is missing before it.
      const later = record.state === 'good' || batchBeginsAfter(bytes, view, at);
      return { verdict: judge(record, later, isHollow(bytes, since, at)), offset: at, batches };
    }
    if (record.type === full || record.type === last) {
      batches++;
      begun = -1;
    } else if (record.type === first) {
      begun = at;
    }
    at = record.end;
  }
  if (begun >= 0) return { verdict: 'torn', offset: begun, batches };
  return { verdict: 'clean', offset: bytes.length, batches };
}

/** The batches of a file in this format, each in one piece, up to the first bad place. */
export function* walBatches(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let parts: Uint8Array[] = [];
  for (let at = nextStart(0); at < bytes.length; at = nextStart(at)) {
    const { state, type, end } = recordAt(bytes, view, at);
    const starts = type === full || type === first;
    if (state !== 'good' || starts !== (parts.length === 0)) return;
    parts.push(bytes.subarray(at + headerBytes, end));
    if (type === full || type === last) {
      yield parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      parts = [];
    }
    at = end;
  }
}

function judge(record: Physical, later: boolean, hollow: boolean): WalVerdict {
  if (later) return 'corrupt';
  if (record.state === 'cut' || hollow) return 'torn';
  return 'ambiguous';
}

export interface WalReport {
  readonly file: string;
  readonly finding: WalFinding;
}

/**
 * Scans the write-ahead logs of a database in order and answers the first one that is not clean. A
 * torn or ambiguous end with a later log that holds batches is corrupt: batches came after it.
 */
export async function scanWals(directory: string): Promise<WalReport | undefined> {
  const names = (await readdir(directory)).filter(name => /^\d+\.log$/.test(name));
  names.sort((left, right) => Number.parseInt(left, 10) - Number.parseInt(right, 10));
  let bad: WalReport | undefined;
  for (const name of names) {
    const file = join(directory, name);
    const finding = scanWal(await readFile(file));
    if (bad !== undefined && (finding.batches > 0 || finding.verdict === 'corrupt')) {
      return { ...bad, finding: { ...bad.finding, verdict: 'corrupt' } };
    }
    if (finding.verdict === 'corrupt') return { file, finding };
    if (finding.verdict !== 'clean') bad ??= { file, finding };
  }
  return bad;
}
