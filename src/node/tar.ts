/** Writes a tar archive (POSIX ustar) of a few files in memory: enough for a support bundle. */

export interface TarFile {
  /** Relative, at most 100 bytes of ASCII. */
  readonly name: string;
  readonly content: Uint8Array;
}

const blockBytes = 512;

function header({ name, content }: TarFile, atMs: number): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'ascii');
  };
  block.write(name.slice(0, 100), 0, 'ascii');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(Math.floor(atMs / 1_000), 136, 12);
  block.fill(' ', 148, 156);
  block.write('0', 156, 'ascii');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function tarOf(files: readonly TarFile[], atMs: number): Buffer {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const rest = file.content.length % blockBytes;
    parts.push(header(file, atMs), file.content);
    if (rest > 0) parts.push(new Uint8Array(blockBytes - rest));
  }
  return Buffer.concat([...parts, new Uint8Array(2 * blockBytes)]);
}
