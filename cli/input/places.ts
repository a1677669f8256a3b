/**
 * Where in what a person gave a problem of a document stands: the flag that was typed, or the line
 * of the file. The same for what is found here and for what a node finds.
 */
import { isMap } from '../../src/model/document.ts';
import type { SpecProblem } from '../../src/model/spec-reading.ts';
import type { CliError, PlacedProblem } from '../cli-error.ts';
import { type FoundProblem, type Placing, refusal } from '../refusal.ts';
import { flagOfPointer, type TaskDocument } from './spec-flags.ts';
import type { TaskSource } from './task-file.ts';

/** What a document is made of, before flags and ID. */
export interface TaskInput {
  readonly value: unknown;
  readonly source?: TaskSource | undefined;
  /** As it is called in messages. */
  readonly file?: string | undefined;
}

/** The flag that a field of a document stands for, `undefined` where none does. */
export type FlagOf = (pointer: string) => string | undefined;

const stepsOf = (pointer: string): readonly string[] => pointer.split('/').slice(1);
const named = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~');

/** Where each flag has the name of its field. */
export function flagOfField(pointer: string): string | undefined {
  const [field] = stepsOf(pointer);
  return field === undefined ? undefined : `--${field}`;
}

function child(value: unknown, step: string): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  return isMap(value) && Object.hasOwn(value, named(step)) ? value[named(step)] : undefined;
}

/** Whether `document` has something at the place; a text is not looked into. */
function says(document: unknown, steps: readonly string[]): boolean {
  let value = document;
  for (const step of steps) {
    if (typeof value !== 'object') return true;
    value = child(value, step);
    if (value === undefined) return false;
  }
  return true;
}

const keyPart = ({ code, message }: FoundProblem): 'key' | 'value' =>
  code === 'notYet' || message.includes('unknown field') ? 'key' : 'value';

/** What a use of a template says itself; in a workflow, also where the task stands in it. */
const ofUse = ['template', 'set'];
const ofStep = [...ofUse, 'name', 'after', 'when'];

/**
 * A field that nobody gave, because a template made it: told at the use of the template, and by its
 * name.
 */
function atTemplate(problem: FoundProblem, documents: readonly unknown[]): FoundProblem {
  const steps = stepsOf(problem.pointer);
  const own = steps[0] === 'tasks' ? ofStep : ofUse;
  let parents = documents;
  for (const [depth, step] of steps.entries()) {
    const uses = parents.some(parent => isMap(parent) && parent['template'] !== undefined);
    if (uses && !own.includes(step)) {
      if (documents.some(document => says(document, steps))) return problem;
      const above = steps.slice(0, depth).map(part => `/${part}`);
      const made = steps.slice(depth).join('/');
      const message = `in the task that it makes, ${made}: ${problem.message}`;
      return { ...problem, pointer: `${above.join('')}/template`, message };
    }
    parents = parents.map(parent => child(parent, step));
  }
  return problem;
}

/** Finds the places in a document that is `input` with what `flags` say over it. */
export const placingOf =
  (input: TaskInput, flags: TaskDocument = {}, flagOf: FlagOf = flagOfPointer): Placing =>
  problem => {
    const { pointer } = problem;
    const found = atTemplate(problem, [flags, input.value]);
    const { message } = found;
    const steps = stepsOf(found.pointer);
    if (steps.length > 0 && says(flags, steps)) {
      return { place: flagOf(found.pointer) ?? found.pointer, pointer, message };
    }
    const place = input.source?.locate(found.pointer, keyPart(found));
    if (place !== undefined) return { ...place, pointer, message };
    return { place: flagOf(found.pointer) ?? found.pointer.slice(1), pointer, message };
  };

export type Placed = PlacedProblem & { readonly code: SpecProblem['code'] };

export const placed = (problems: readonly SpecProblem[], place: Placing): Placed[] =>
  problems.map(problem => ({ ...place(problem), code: problem.code }));

/** The error that tells all problems of one document, or of several. */
export function refusalOf(found: readonly Placed[]): CliError {
  const codes = new Set(found.map(({ code }) => code));
  const [code = 'badSpec'] = codes;
  return refusal(
    codes.size === 1 ? code : 'badSpec',
    found.map(({ code: _code, ...problem }) => problem),
  );
}
