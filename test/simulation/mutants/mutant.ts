/**
 * A bug as data: one place of one file, replaced in memory while the program is loaded. Nothing of
 * it is ever in the tree.
 */
import type { Circumstances, SimOptions } from '../options.ts';

export interface Edit {
  /** Path from the root of the project. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly search: string;
  readonly replacement: string;
}

export interface Mutant extends Edit {
  /** In words that name it on a command line. */
  readonly name: string;
  /** What is wrong, as a sentence. */
  readonly sentence: string;
  /** A second guard against the same bug, taken away, or what makes the bug matter more often. */
  readonly also?: readonly Edit[] | undefined;
  /** Circumstances that the bug needs and the draw makes rarely. */
  readonly in?: Circumstances | undefined;
  readonly options?: Partial<SimOptions> | undefined;
}

/** Seeds in which a bug has to be found. */
export const seedsMax = 2_000;

export const editsOf = (mutant: Mutant): readonly Edit[] => [mutant, ...(mutant.also ?? [])];

/** The text with the edit made; throws where the place is not there, or not alone. */
export function plant(source: string, edit: Edit): string {
  const parts = source.split(edit.search);
  if (parts.length === 2) return parts.join(edit.replacement);
  throw new Error(
    `the text of a mutant stands ${parts.length - 1} times in ${edit.file}, not once; ` +
      `say it anew for the code as it is now: ${edit.search.trim().slice(0, 80)}`,
  );
}
