/** Files and standard input, read with a bound: what is too long is refused before it is read. */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { limits } from '../../src/model/limits.ts';
import { formatSize } from '../../src/model/resources.ts';
import { CliError, usageError } from '../cli-error.ts';

const chunkBytes = 64 * 1024;

function tooLarge(what: string, bytes: number | undefined, max: number): CliError {
  const allowed = formatSize(max);
  const sentence =
    bytes === undefined
      ? `${what} is longer than the ${allowed} that are allowed`
      : `${what} is ${formatSize(bytes)} long; at most ${allowed} are allowed`;
  return new CliError('tooLarge', sentence, { field: what });
}

function readBounded(file: string, bytesMax: number, what: string): Buffer {
  let size: number;
  let regular: boolean;
  try {
    const found = statSync(file);
    if (found.isDirectory()) throw usageError(`${what} ${file} is a directory`);
    size = found.size;
    regular = found.isFile();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const missing = 'code' in (error as Error) && (error as { code?: unknown }).code === 'ENOENT';
    throw usageError(
      missing ? `${what} ${file} does not exist` : `${what}: ${(error as Error).message}`,
      what === 'the script'
        ? 'To run a program that the nodes have: tsched submit -- PROGRAM ARGS'
        : undefined,
    );
  }
  if (size > bytesMax) throw tooLarge(file, size, bytesMax);
  if (!regular) return readStream(openSync(file, 'r'), bytesMax, file);
  try {
    return readFileSync(file);
  } catch (error) {
    throw usageError(`${what}: ${(error as Error).message}`);
  }
}

/** Reads a pipe or device to its end. */
function readStream(descriptor: number, bytesMax: number, what: string): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for (;;) {
      const chunk = Buffer.alloc(chunkBytes);
      const count = readSync(descriptor, chunk, 0, chunkBytes, null);
      if (count === 0) return Buffer.concat(chunks);
      length += count;
      if (length > bytesMax) throw tooLarge(what, undefined, bytesMax);
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

async function readStdin(bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge('the input', undefined, bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Text of a file of tasks of so many bytes at most, or of standard input for `-`. */
export async function readTaskText(
  file: string,
  max: number = limits.httpBodyBytesMax,
): Promise<string> {
  const bytes = file === '-' ? await readStdin(max) : readBounded(file, max, 'the file');
  try {
    return strictUtf8.decode(bytes);
  } catch (cause) {
    throw new CliError('badYaml', `${file === '-' ? 'the input' : file} is not UTF-8 text`, {
      cause,
      suggestion: 'To send a program or script itself: tsched submit FILE (without -f).',
    });
  }
}

/** The fields of a document that carry a script's bytes. */
export type ScriptFields =
  | { readonly scriptName: string; readonly script: string }
  | { readonly scriptName: string; readonly scriptBase64: string };

/** Reads a script, whose bytes travel with the task. */
export function readScript(file: string): ScriptFields {
  const bytes = readBounded(file, limits.scriptBytesMax, 'the script');
  if (bytes.length === 0) throw usageError(`the script ${file} is empty`);
  const scriptName = basename(file);
  if (!bytes.includes(0)) {
    try {
      const script = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      return { scriptName, script };
    } catch {
      // Not UTF-8: sent as base64.
    }
  }
  return { scriptName, scriptBase64: bytes.toString('base64') };
}
