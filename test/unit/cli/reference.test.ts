import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type IndexedCommand, readCommands } from '../../../cli/command-index.ts';
import { completionScript } from '../../../cli/completion.ts';
import { findCommand } from '../../../cli/direct.ts';
import { exitCodes } from '../../../cli/exit-codes.ts';
import { referencePath, renderReference } from '../../../scripts/reference.ts';
import { errorTable } from '../../../src/model/errors.ts';

let commands: readonly IndexedCommand[];
beforeAll(async () => {
  commands = await readCommands();
});

describe('the reference', () => {
  test('is what the commands say (UPDATE=1 rewrites it)', () => {
    const page = renderReference(commands);
    if (process.env['UPDATE'] !== undefined) writeFileSync(referencePath, page);
    expect(readFileSync(referencePath, 'utf8')).toBe(page);
  });

  test('every command has a summary, a usage, an example and words for each flag', () => {
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) {
      expect(command.summary, command.words).toMatch(/^[A-Z].*\.$/);
      expect(command.usage.length, command.words).toBeGreaterThan(0);
      expect(command.usage.every(usage => usage.startsWith(command.words))).toBe(true);
      expect(command.examples.length, command.words).toBeGreaterThan(0);
      for (const flag of command.flags) {
        expect(flag.description, `${command.words} --${flag.name}`).not.toBe('');
      }
    }
  });

  test('every exit code of the error table is one that the help explains', () => {
    const known = Object.keys(exitCodes).map(Number);
    for (const row of Object.values(errorTable)) expect(known).toContain(row.exit);
  });

  test('every command that talks to a node says what its exit codes mean', () => {
    for (const { words, description } of commands) {
      if (words !== 'completion') expect(description, words).toContain('Exit codes: 0 ok');
    }
  });
});

describe('the short way', () => {
  const root = new URL('../../../cli', import.meta.url).pathname;

  test('finds every command that oclif knows', () => {
    for (const { words } of commands) {
      const found = findCommand([...words.split(' '), 'x'], root, '.ts');
      expect(found).toMatchObject({ id: words.replaceAll(' ', ':'), argv: ['x'] });
    }
  });

  test.each([
    [['nope']],
    [['node']],
    [['node', 'nope']],
    [['../run']],
    [['cluster/init']],
    [['status', '--help']],
    [['submit', '-h']],
    [[]],
  ])('leaves %j to oclif', argv => {
    expect(findCommand(argv, root, '.ts')).toBeUndefined();
  });

  test('does not take the --help of a program for its own', () => {
    expect(findCommand(['submit', '--', 'ls', '--help'], root, '.ts')?.id).toBe('submit');
  });
});

describe('completion', () => {
  /** What bash would offer after these words. */
  function completions(...words: string[]): string[] {
    const script = completionScript('bash', commands);
    const quoted = words.map(word => `'${word}'`).join(' ');
    const asked =
      `${script}\nCOMP_WORDS=(tsched ${quoted}); COMP_CWORD=${words.length}\n` +
      '_tsched\nprintf "%s\\n" "${COMPREPLY[@]}"';
    return execFileSync('bash', ['-c', asked], { encoding: 'utf8' }).trim().split('\n');
  }

  test('offers commands, their words, flags and values', () => {
    expect(completions('s')).toEqual(['schedule', 'status', 'submit']);
    expect(completions('cluster', 'he')).toEqual(['health']);
    expect(completions('cluster', 'health', '--w')).toEqual(['--wait']);
    expect(completions('wait', '--ti')).toEqual(['--timeout']);
    expect(completions('submit', '--tier', 'p')).toEqual(['premium']);
    expect(completions('list', '--state', 'act')).toEqual(['active']);
  });

  test.each(['bash', 'zsh', 'fish'] as const)('the script of %s names every command', shell => {
    const script = completionScript(shell, commands);
    for (const { words } of commands) {
      for (const word of words.split(' ')) expect(script).toContain(word);
    }
    expect(script).not.toContain('undefined');
  });
});
