/** Where an export goes: a file of its own, or standard output, at the pace of its reader. */
import { open } from 'node:fs/promises';
import { usageError } from './cli-error.ts';

export interface Output {
  write(text: string): Promise<void>;
  end(): Promise<void>;
}

/** `goesOn`: behind what the file has already; else it must be a new one. */
export async function openOutput(path: string | undefined, goesOn: boolean): Promise<Output> {
  if (path === undefined) {
    // A reader that went away (`| head`) has seen what it wanted.
    process.stdout.once('error', () => process.exit(0));
    return { write: writeOut, end: async () => undefined };
  }
  const file = await open(path, goesOn ? 'a' : 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw usageError(`${path} exists`, 'Name a new file; --cursor goes on at the end of one.');
  });
  return {
    async write(text) {
      await file.appendFile(text);
    },
    async end() {
      await file.sync();
      await file.close();
    },
  };
}

function writeOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, error => (error ? reject(error) : resolve()));
  });
}
