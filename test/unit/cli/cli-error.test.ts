import { describe, expect, test } from 'vitest';
import { toCliError, usageError } from '../../../cli/cli-error.ts';
import { TschedError } from '../../../src/model/errors.ts';

const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: something`), { code, syscall: 'listen' });

describe('whatever a command throws', () => {
  test('an error of a node in this process keeps its code and its exit code', () => {
    const found = toCliError(new TschedError('storageFault', 'a block is damaged'));
    expect(found).toMatchObject({ code: 'storageFault', exit: 74, sentence: 'a block is damaged' });
  });

  test('what the system refuses is told in words, not as a bug', () => {
    const used = toCliError(systemError('EADDRINUSE'));
    expect(used).toMatchObject({ title: 'The address is in use', exit: 1 });
    expect(toCliError(systemError('EWHATEVER')).title).toBe('The system refused');
  });

  test('a bug is told as one', () => {
    expect(toCliError(new TypeError('x is undefined'))).toMatchObject({
      code: 'internal',
      exit: 1,
      title: 'A bug in tsched',
    });
    expect(toCliError('a string')).toMatchObject({ code: 'internal' });
  });

  test('a sentence survives that the parser of flags wrapped', () => {
    const error = usageError('--cpu x is not a number');
    error.message = `Parsing --cpu \n\t${error.message}\nSee more help with --help`;
    expect(toCliError(error).sentence).toBe('--cpu x is not a number');
  });

  test('what oclif says is folded into one line that ends with the way to the help', () => {
    const error = Object.assign(
      new Error(
        'Missing 1 required arg:\nid  tasks\nNote: --node, --require allow multiple values. ' +
          'Because of this you need to ..\nSee more help with --help',
      ),
      {
        oclif: { exit: 2 },
      },
    );
    const found = toCliError(error, 'wait');
    expect(found).toMatchObject({ exit: 2, sentence: 'Missing 1 required arg: id  tasks' });
    expect(found.suggestion).toBe('`tsched wait --help`');
  });
});
