/**
 * A workflow that is split over files: each has a map with `tasks`, and together they are one, as
 * if they stood in one file. Every place is told as that of its file.
 */
import { isMap } from '../../src/model/document.ts';
import { isWorkflowDocument } from '../../src/model/workflow-document.ts';
import { CliError, usageError } from '../cli-error.ts';
import { type Placed, refusalOf, type TaskInput } from './places.ts';
import type { Place, TaskSource } from './task-file.ts';

/** What is said of the workflow as a whole: once, or the same each time. */
const headFields = ['id', 'workflow', 'tenant', 'owner'] as const;

/** A part of the document, and at which index of the whole list its tasks begin. */
interface Part {
  readonly input: TaskInput;
  readonly value: Readonly<Record<string, unknown>>;
  readonly from: number;
}

const placeAt = ({ source }: TaskInput, pointer: string): Place =>
  source?.locate(pointer, 'value') ?? { place: pointer, excerpt: '' };

/** `file:line` of a place. */
export const lineOf = ({ place }: Pick<Place, 'place'>): string => place.replace(/:\d+$/, '');

/** One document of all parts. Throws one error that tells what does not belong together. */
export function joinWorkflow(inputs: readonly TaskInput[]): TaskInput {
  const [first] = inputs;
  if (first === undefined || inputs.length === 1) return first ?? { value: {} };
  refuseForeign(inputs);
  const parts: Part[] = [];
  const tasks: unknown[] = [];
  for (const input of inputs) {
    const value = input.value as Part['value'];
    // The reader says what it should be.
    if (!Array.isArray(value['tasks'])) return input;
    parts.push({ input, value, from: tasks.length });
    tasks.push(...(value['tasks'] as unknown[]));
  }
  const fields = Object.assign({}, ...parts.map(part => part.value)) as Part['value'];
  const value = { ...fields, ...joinHeads(parts), tasks };
  const locate: TaskSource['locate'] = (pointer, what) => {
    const { input, local } = partOf(parts, pointer);
    return input.source?.locate(local, what) ?? placeAt(input, local);
  };
  return { value, source: { value, locate } };
}

/** The part that a pointer into the whole is about, and the pointer there. */
function partOf(parts: readonly Part[], pointer: string): { input: TaskInput; local: string } {
  const [, field = '', index, ...rest] = pointer.split('/');
  if (field === 'tasks' && index !== undefined) {
    const { input, from } = parts.findLast(part => part.from <= Number(index))!;
    return { input, local: ['', field, Number(index) - from, ...rest].join('/') };
  }
  const saying = parts.find(part => Object.hasOwn(part.value, field)) ?? parts[0]!;
  return { input: saying.input, local: pointer };
}

/** A file that holds something else beside the parts, or two of them. */
function refuseForeign(inputs: readonly TaskInput[]): void {
  const foreign = inputs.find(({ value }) => !isMap(value) || !isWorkflowDocument(value));
  if (foreign !== undefined) {
    const { place, excerpt } = placeAt(foreign, '');
    throw new CliError(
      'badSpec',
      `${place}: this is no part of the workflow: it has no \`tasks\``,
      {
        problems: [{ place: '', message: '', excerpt }],
        suggestion: 'Put the task under `tasks`, or submit it by itself.',
      },
    );
  }
  const files = inputs.map(({ file }) => file);
  const twice = inputs.find(({ file }, position) => files.indexOf(file) !== position);
  if (twice === undefined) return;
  throw usageError(
    `${twice.file} holds more than one workflow, or is given twice`,
    'A file holds one workflow, or a part of one.',
  );
}

function joinHeads(parts: readonly Part[]): Record<string, unknown> {
  const head: Record<string, unknown> = {};
  const found: Placed[] = [];
  for (const field of headFields) {
    const saying = parts.filter(({ value }) => value[field] !== undefined);
    const [first, ...others] = saying;
    if (first === undefined) continue;
    head[field] = first.value[field];
    for (const { input, value } of others) {
      if (value[field] === head[field]) continue;
      const pointer = `/${field}`;
      const said = lineOf(placeAt(first.input, pointer));
      const message = `\`${field}\` is another one at ${said}: say it once, or the same in each file`;
      found.push({ ...placeAt(input, pointer), pointer, message, code: 'badSpec' });
    }
  }
  if (found.length > 0) throw refusalOf(found);
  return head;
}
