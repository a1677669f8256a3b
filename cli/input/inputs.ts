/** What `submit` and `plan` are given: files of tasks, a script with its arguments, a command. */
import { limits } from '../../src/model/limits.ts';
import { usageError } from '../cli-error.ts';
import type { TaskInput } from './places.ts';

export async function readInputs(given: {
  readonly files: readonly string[] | undefined;
  /** Makes the task where there is nothing else to run. */
  readonly template: string | undefined;
  readonly words: readonly string[];
  /** For what is said where there is nothing. */
  readonly verb: 'submit' | 'plan';
  /** What stands behind `--`. */
  readonly tail: readonly string[] | undefined;
}): Promise<readonly TaskInput[]> {
  const { files, words, tail, verb } = given;
  if (files !== undefined) {
    if (words.length > 0 || tail !== undefined) {
      throw usageError('-f and a command exclude each other', 'Put the command into the file.');
    }
    return readFiles(files);
  }
  const { documentOfWords } = await import('./command-line.ts');
  const document = documentOfWords(words, tail);
  if (document === undefined) {
    if (given.template !== undefined) return [{ value: {} }];
    throw usageError(
      'there is nothing to run',
      `tsched ${verb} -- echo hello, tsched ${verb} script.sh, or tsched ${verb} -f tasks.yaml`,
    );
  }
  return [{ value: document }];
}

/** Everything that the files hold, in their order; together they are bounded as one is. */
async function readFiles(files: readonly string[]): Promise<readonly TaskInput[]> {
  if (files.filter(file => file === '-').length > 1) {
    throw usageError('standard input can be read once', 'Give `-f -` once.');
  }
  const [{ readTaskText }, { readTaskFile }] = await Promise.all([
    import('./read-input.ts'),
    import('./task-file.ts'),
  ]);
  const inputs: TaskInput[] = [];
  let left: number = limits.httpBodyBytesMax;
  for (const file of files) {
    const text = await readTaskText(file, left);
    left -= Buffer.byteLength(text);
    const shown = file === '-' ? 'stdin' : file;
    for (const source of readTaskFile(text, shown)) {
      inputs.push({ value: source.value, source, file: shown });
    }
  }
  return inputs;
}
