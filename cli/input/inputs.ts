/** What `submit` and `plan` are given: a file of tasks, a script with its arguments, a command. */
import { usageError } from '../cli-error.ts';
import type { TaskInput } from './tasks.ts';

export async function readInputs(given: {
  readonly file: string | undefined;
  /** Makes the task where there is nothing else to run. */
  readonly template: string | undefined;
  readonly words: readonly string[];
  /** What stands behind `--`. */
  readonly tail: readonly string[] | undefined;
}): Promise<readonly TaskInput[]> {
  const { file, words, tail } = given;
  if (file !== undefined) {
    if (words.length > 0 || tail !== undefined) {
      throw usageError('-f and a command exclude each other', 'Put the command into the file.');
    }
    const [{ readTaskText }, { readTaskFile }] = await Promise.all([
      import('./read-input.ts'),
      import('./task-file.ts'),
    ]);
    const shown = file === '-' ? 'stdin' : file;
    return readTaskFile(await readTaskText(file), shown).map(source => ({
      value: source.value,
      source,
    }));
  }
  const { documentOfWords } = await import('./command-line.ts');
  const document = documentOfWords(words, tail);
  if (document === undefined) {
    if (given.template !== undefined) return [{ value: {} }];
    throw usageError(
      'there is nothing to run',
      'tsched submit -- echo hello, tsched submit script.sh, or tsched submit -f tasks.yaml',
    );
  }
  return [{ value: document }];
}
