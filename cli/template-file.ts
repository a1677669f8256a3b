/** A template in a file, read and judged as a node will do it. */
import { isMap } from '../src/model/document.ts';
import { readTemplate } from '../src/model/template.ts';
import { usageError } from './cli-error.ts';
import { placed, placingOf, refusalOf } from './input/places.ts';
import { readTaskText } from './input/read-input.ts';
import { readTaskFile } from './input/task-file.ts';
import type { Placing } from './refusal.ts';

export interface TemplateFile {
  /** `description`, `parameters` and `task`. */
  readonly template: Readonly<Record<string, unknown>>;
  /** Where what a node finds wrong with it stands. */
  readonly place: Placing;
}

const flagOf = (pointer: string): string | undefined => (pointer === '/name' ? 'NAME' : undefined);

/** The template of `file`, which is called `name`. */
export async function readTemplateFile(file: string, name: string): Promise<TemplateFile> {
  const shown = file === '-' ? 'stdin' : file;
  const [source, ...others] = readTaskFile(await readTaskText(file), shown);
  if (source === undefined || others.length > 0) {
    throw usageError(`${shown} holds more than one document`, 'A file holds one template.');
  }
  const reading = readTemplate(source.value);
  const place = placingOf({ value: source.value, source }, { name }, flagOf);
  if (!reading.ok) throw refusalOf(placed(reading.problems, place));
  return { template: isMap(source.value) ? source.value : {}, place };
}

export const pathOfTemplate = (name: string): string => `/v1/templates/${encodeURIComponent(name)}`;

const wholeNumber = /^[1-9]\d{0,9}$/;

/** The value of `--revision` and its like. */
export function readRevision(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (wholeNumber.test(text)) return Number(text);
  throw usageError(`--${flag} must be the number of a revision, not "${text}"`);
}
