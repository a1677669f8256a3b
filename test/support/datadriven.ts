/**
 * Transcripts: files of directives with the output they are to have (`command args`, input lines,
 * `----`, output). `UPDATE=1` writes what the code gives instead; read the difference before it is
 * committed.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Directive, parseFile, printFile } from '../conformance/etcd-raft/datadriven.ts';

/** Names of the transcripts in a folder. */
export const transcriptsIn = (dir: string): string[] =>
  readdirSync(dir)
    .filter(name => name.endsWith('.txt'))
    .sort();

/**
 * Runs one file against `answer`, which gives the output of a directive. Returns what the file says
 * and what the code gives, both whole, so that a difference is shown in its context.
 */
export function runTranscript(
  dir: string,
  name: string,
  answer: (directive: Directive) => readonly string[],
): { readonly expected: string; readonly actual: string; readonly directives: number } {
  const path = join(dir, name);
  const expected = readFileSync(path, 'utf8');
  const blocks = parseFile(expected);
  const outputs: (readonly string[])[] = [];
  for (const { directive } of blocks) if (directive) outputs.push(answer(directive));
  const actual = printFile(blocks, outputs);
  if (process.env['UPDATE'] === '1') {
    if (actual !== expected) writeFileSync(path, actual);
    return { expected: actual, actual, directives: outputs.length };
  }
  return { expected, actual, directives: outputs.length };
}
