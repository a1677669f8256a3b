/**
 * What tasks hand on to those that wait for them: the file that TSCHED_OUTPUT names, `output` in
 * the directory of the attempt, and the files of the directory that TSCHED_INPUTS names, one for
 * each parent that handed something on. Both go with the attempt.
 */
import { constants, mkdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../model/limits.ts';
import type { WireOrder } from './protocol.ts';
import { isCausedByTask, withFile } from './task-files.ts';

const inputName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const most = limits.handedOnBytesMax;
export const tooMuchHandedOn = `its TSCHED_OUTPUT file holds more than ${most} bytes`;

/** Writes what the attempt is given into its directory; answers its whole environment. */
export function equip(
  directory: string,
  { env, inputs = [], handsOn }: WireOrder,
): Readonly<Record<string, string>> {
  if (handsOn !== true && inputs.length === 0) return env;
  const all: Record<string, string> = { ...env };
  if (handsOn === true) all['TSCHED_OUTPUT'] = join(directory, 'output');
  if (inputs.length > 0) {
    const path = join(directory, 'inputs');
    mkdirSync(path, { mode: 0o700 });
    for (const { name, text } of inputs) {
      if (inputName.test(name)) writeFileSync(join(path, name), text, { mode: 0o600 });
    }
    all['TSCHED_INPUTS'] = path;
  }
  return all;
}

/** What an attempt that is over hands on, as text; `undefined` where it left no such file. */
export function handedOn(directory: string): { readonly text: string } | 'tooLong' | undefined {
  const bytes = Buffer.alloc(limits.handedOnBytesMax + 1);
  const path = join(directory, 'output');
  const length = withFile(path, { flags: constants.O_RDONLY }, fd => readAll(fd, bytes));
  if (length === undefined) return undefined;
  return length > limits.handedOnBytesMax ? 'tooLong' : { text: bytes.toString('utf8', 0, length) };
}

function readAll(fd: number, bytes: Buffer): number {
  let length = 0;
  for (;;) {
    const count = readSync(fd, bytes, length, bytes.length - length, length);
    if (count === 0) return length;
    length += count;
  }
}

/** Takes both away; what the task has made impossible is left to whoever removes the directory. */
export function unequip(directory: string): void {
  for (const name of ['output', 'inputs']) {
    try {
      rmSync(join(directory, name), { recursive: true, force: true });
    } catch (error) {
      if (!isCausedByTask(error)) throw error;
    }
  }
}
