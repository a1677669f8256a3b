/** A template in a file, read and judged as a node will do it. */
import { isMap } from '../src/model/document.ts';
import { readTemplate } from '../src/model/template.ts';
import { usageError } from './cli-error.ts';
import { readTaskText } from './input/read-input.ts';
import { readTaskFile } from './input/task-file.ts';
import { refusalOf } from './input/tasks.ts';

/** `description`, `parameters` and `task` of the file. */
export async function readTemplateFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const shown = file === '-' ? 'stdin' : file;
  const [source, ...others] = readTaskFile(await readTaskText(file), shown);
  if (source === undefined || others.length > 0) {
    throw usageError(`${shown} holds more than one document`, 'A file holds one template.');
  }
  const reading = readTemplate(source.value);
  if (!reading.ok) throw refusalOf(reading.problems, { value: source.value, source });
  return isMap(source.value) ? source.value : {};
}

export const pathOfTemplate = (name: string): string => `/v1/templates/${encodeURIComponent(name)}`;

const wholeNumber = /^[1-9]\d{0,9}$/;

/** The value of `--revision` and its like. */
export function readRevision(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (wholeNumber.test(text)) return Number(text);
  throw usageError(`--${flag} must be the number of a revision, not "${text}"`);
}
