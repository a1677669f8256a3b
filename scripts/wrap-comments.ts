/**
 * Breaks comments that are wider than the house allows, which the formatter leaves alone: words
 * that do not fit go on to the next line of the paragraph. Code, drawings and words that are too
 * long by themselves stay as they are, and so does every line that fits.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './run.ts';

const columnsMax = 100;
const drawing = /[─│┌┐└┘▶◀▼▲]|-{3,}/;
/** Everything before the words, and the words. */
const commentLine = /^(\s*(?:\*|\/\/) +)(\S.*)$/;
const listItem = /^(-|\d+\.|@\w+)(\s|$)/;

/** The text of a source with its wide comments wrapped. */
export function wrapComments(text: string): string {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if ([...line].length <= columnsMax || drawing.test(line)) continue;
    const single = /^(\s*)\/\*\* (.*) \*\/$/.exec(line);
    if (single !== null) {
      const [, indent, words] = single;
      lines.splice(at, 1, `${indent}/**`, `${indent} * ${words}`, `${indent} */`);
      continue;
    }
    const comment = commentLine.exec(line);
    if (comment === null) continue;
    const [lead, words] = [comment[1]!, comment[2]!];
    const cut = words.lastIndexOf(' ', columnsMax - lead.length);
    if (cut < 0) continue;
    lines[at] = lead + words.slice(0, cut);
    const rest = words.slice(cut + 1);
    const hanging = listItem.test(words) ? `${lead}  ` : lead;
    const next = commentLine.exec(lines[at + 1] ?? '');
    const continues =
      next !== null && next[1] === hanging && !listItem.test(next[2]!) && !drawing.test(next[2]!);
    if (continues) lines[at + 1] = `${hanging}${rest} ${next[2]}`;
    else lines.splice(at + 1, 0, hanging + rest);
  }
  return lines.join('\n');
}

/** Wraps the comments of all sources. */
export async function wrapAllComments(): Promise<void> {
  for (const folder of ['src', 'cli', 'scripts', 'test']) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      const text = await readFile(file, 'utf8');
      const wrapped = wrapComments(text);
      if (wrapped !== text) await writeFile(file, wrapped);
    }
  }
}
