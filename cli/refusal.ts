/**
 * The one error that tells everything that is wrong with a document, whoever found it: this
 * program before anything is sent, or the node that it was sent to.
 */
import type { ErrorCode } from '../src/model/errors.ts';
import { CliError, type CliErrorOptions, type PlacedProblem } from './cli-error.ts';

/** A problem as it was found: with a JSON pointer into the document. */
export interface FoundProblem {
  readonly pointer: string;
  readonly message: string;
  readonly code?: string | undefined;
}

/** Finds where in what a person gave a problem stands: a flag, or a line of a file. */
export type Placing = (problem: FoundProblem) => PlacedProblem;

/** Where nothing is known of how the document came to be. */
const atPointer: Placing = ({ pointer, message }) => ({ place: pointer, pointer, message });

const textOr = <Missing>(value: unknown, missing: Missing): string | Missing =>
  typeof value === 'string' && value !== '' ? value : missing;

/** What an answer says of the document that was sent: all its problems, or the one it names. */
export interface ToldByNode {
  readonly message: string;
  readonly field?: unknown;
  readonly problems?: unknown;
}

/** The problems of an answer at their places; none where it is about something else. */
export function placedOf(answer: ToldByNode, place: Placing | undefined): PlacedProblem[] {
  const { message, field, problems } = answer;
  const found = (Array.isArray(problems) ? problems : []).flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) return [];
    const one = item as Readonly<Record<keyof FoundProblem, unknown>>;
    return [
      {
        pointer: textOr(one.pointer, ''),
        message: textOr(one.message, 'is not valid'),
        code: textOr(one.code, undefined),
      },
    ];
  });
  if (found.length > 0) return found.map(place ?? atPointer);
  // A pointer is of the body; others name a header or a parameter.
  const isPointer = typeof field === 'string' && field.startsWith('/');
  return place !== undefined && isPointer ? [place({ pointer: field, message })] : [];
}

/** Over this many problems the rest is counted only. */
const problemsToldMax = 20;

const more = (count: number): readonly PlacedProblem[] =>
  count > 0 ? [{ place: '', message: `and ${count} more` }] : [];

/** One sentence for one problem, a list under their number for several. */
export function toldProblems(found: readonly PlacedProblem[]): {
  readonly sentence: string;
  readonly problems: readonly PlacedProblem[];
} {
  const [first] = found;
  if (first === undefined) return { sentence: '', problems: [] };
  if (found.length === 1) {
    const { place, message, excerpt } = first;
    const sentence = place === '' ? message : `${place}: ${message}`;
    return {
      sentence,
      problems: excerpt === undefined ? [] : [{ place: '', message: '', excerpt }],
    };
  }
  const told = found.slice(0, problemsToldMax);
  const problems = [...told, ...more(found.length - told.length)];
  return { sentence: `${found.length} problems`, problems };
}

/** `field` of the error is the place of the first problem in the document. */
export function refusal(
  code: ErrorCode,
  found: readonly PlacedProblem[],
  options: Pick<CliErrorOptions, 'title' | 'suggestion' | 'retryAfterMs'> = {},
): CliError {
  const { sentence, problems } = toldProblems(found);
  return new CliError(code, sentence, { ...options, problems, field: found[0]?.pointer });
}
