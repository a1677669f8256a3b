/** What runs, from the words of a command line: a script with arguments, or what follows `--`. */
import { readScript } from './read-input.ts';
import type { TaskDocument } from './spec-flags.ts';

/** The part of a task document that says what runs; `undefined` where nothing does. */
export function documentOfWords(
  words: readonly string[],
  tail: readonly string[] | undefined,
): TaskDocument | undefined {
  const [script, ...args] = words;
  if (script !== undefined) {
    const all = [...args, ...(tail ?? [])];
    return { ...readScript(script), ...(all.length > 0 ? { args: all } : {}) };
  }
  return tail === undefined || tail.length === 0 ? undefined : { command: tail };
}
