/**
 * The archive that a kernel unpacks into its first file system: `cpio` in its "newc" form, as
 * `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux describes it. Written here,
 * so that files are named and owned as the guest needs them, whoever owns them on this machine.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export type ArchiveEntry =
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly mode: number }
  /** What a file of this machine holds. */
  | { readonly kind: 'file'; readonly path: string; readonly mode: number };

const directoryType = 0o040000;
const fileType = 0o100000;
const linkType = 0o120000;

/** Writes the entries by their paths in the guest; the directories above each are added. */
export function writeArchive(file: string, entries: ReadonlyMap<string, ArchiveEntry>): void {
  const all = new Map(entries);
  for (const path of entries.keys()) {
    for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      if (!all.has(above)) all.set(above, { kind: 'directory' });
    }
  }
  const out = openSync(file, 'w', 0o600);
  try {
    let number = 1;
    // A directory comes before what is in it: it is shorter.
    for (const path of [...all.keys()].sort()) {
      writeEntry(out, number++, path.slice(1), all.get(path)!);
    }
    writeEntry(out, 0, 'TRAILER!!!', { kind: 'bytes', bytes: Buffer.alloc(0), mode: 0 });
  } finally {
    closeSync(out);
  }
}

function writeEntry(out: number, number: number, name: string, entry: ArchiveEntry): void {
  const { mode, body } = contentOf(entry);
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [number, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, nameBytes.length, 0];
  const head = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
  const front = Buffer.concat([Buffer.from(head), nameBytes]);
  for (const part of [front, padding(front.length), body, padding(body.length)]) {
    for (let done = 0; done < part.length; ) done += writeSync(out, part, done);
  }
}

/** Everything begins at a multiple of four bytes. */
const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function contentOf(entry: ArchiveEntry): { readonly mode: number; readonly body: Buffer } {
  switch (entry.kind) {
    case 'directory':
      return { mode: directoryType | 0o755, body: Buffer.alloc(0) };
    case 'link':
      return { mode: linkType | 0o777, body: Buffer.from(entry.to) };
    case 'bytes':
      return { mode: fileType | entry.mode, body: entry.bytes };
    case 'file':
      return { mode: fileType | entry.mode, body: readFileSync(entry.path) };
  }
}
