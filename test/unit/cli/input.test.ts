import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import {
  documentOfFlags,
  flagOfPointer,
  overrideDocument,
  specFlags,
} from '../../../cli/input/spec-flags.ts';
import { readTaskFile } from '../../../cli/input/task-file.ts';
import { makeIdSource, prepareTasks } from '../../../cli/input/tasks.ts';
import { readCount, readDuration, readPairs } from '../../../cli/input/values.ts';
import { askForHelp, moveLeadingFlags } from '../../../cli/main.ts';
import { parseTaskId, slotOfId } from '../../../src/model/ids.ts';
import { specFields } from '../../../src/model/spec-fields.ts';

const caught = (action: () => unknown): CliError => {
  try {
    action();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('a file of tasks', () => {
  test('an empty document between two others is no task', () => {
    const sources = readTaskFile(
      '---\n---\ncommand: [a]\n---\n# nothing\n---\ncommand: [b]\n',
      'f',
    );
    expect(sources.map(source => source.value)).toEqual([{ command: ['a'] }, { command: ['b'] }]);
  });

  test.each([
    ['a value', '/cpu', 'value', 'f:2:6'],
    ['a key', '/cpu', 'key', 'f:2:1'],
    ['a nested value', '/limits/memory', 'value', 'f:4:11'],
    ['an item of a list', '/command/1', 'value', 'f:5:17'],
    ['a key with a slash', '/env/a~1b', 'key', 'f:7:3'],
    ['what is missing, at its parent', '/limits/disk', 'value', 'f:4:3'],
    ['the document itself', '', 'value', 'f:1:1'],
  ] as const)('locates %s', (_, pointer, part, place) => {
    const text = [
      'name: one',
      'cpu: abc',
      'limits:',
      '  memory: 1GiB',
      'command: [echo, hi]',
      'env:',
      '  a/b: c',
    ].join('\n');
    expect(readTaskFile(text, 'f')[0]!.locate(pointer, part).place).toBe(place);
  });

  test('locates a value in the right task of a list, with a caret as long as the value', () => {
    const sources = readTaskFile('- cpu: 1\n- cpu: lots\n', 'f');
    const { place, excerpt } = sources[1]!.locate('/cpu', 'value');
    expect(place).toBe('f:2:8');
    expect(excerpt).toBe('2 | - cpu: lots\n  |        ^^^^');
  });

  test('locates a value behind an alias', () => {
    const text = 'env: &e\n  A: 1\nlabels: *e\n';
    expect(readTaskFile(text, 'f')[0]!.locate('/labels/A', 'value').place).toBe('f:2:6');
  });

  test('shows a long line around the place', () => {
    const text = `{"name": "${'x'.repeat(500)}", "cpu": "lots", "env": {"A": "${'y'.repeat(500)}"}}`;
    const { excerpt } = readTaskFile(text, 'f')[0]!.locate('/cpu', 'value');
    const [line, caret] = excerpt.split('\n');
    expect(line!.length).toBeLessThan(90);
    expect(line!.slice(caret!.indexOf('^'), caret!.lastIndexOf('^') + 1)).toBe('"lots"');
  });

  test.each([
    ['a colon in a value', 'name: a: b\n', /^f:1:\d+: /],
    ['an open bracket', 'command: [a\n', /^f:\d+:\d+: /],
    ['a key twice', 'a: 1\na: 2\n', /^f:2:1: Map keys must be unique/],
    ['a tab as indentation', 'env:\n\tA: 1\n', /^f:2:\d+: /],
    ['a tag nobody knows', 'name: !secret x\n', /^f:1:7: /],
    ['brackets without end', '['.repeat(30_000), /nested too deeply/],
  ])('refuses %s with its place', (_, text, sentence) => {
    const error = caught(() => readTaskFile(text, 'f'));
    expect(error).toMatchObject({ code: 'badYaml', exit: 2 });
    expect(error.sentence).toMatch(sentence);
    expect(error.problems[0]?.excerpt).toContain('^');
  });

  test('refuses aliases that multiply, and a file without a task', () => {
    const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let row = 1; row < 8; row++) {
      const aliases = Array.from({ length: 10 }, () => `*a${row - 1}`).join(', ');
      rows.push(`a${row}: &a${row} [${aliases}]`);
    }
    expect(caught(() => readTaskFile(rows.join('\n'), 'f')).code).toBe('badYaml');
    expect(caught(() => readTaskFile('# nothing here\n', 'f')).code).toBe('badSpec');
  });

  test('whatever the text, it is read or refused, and every place lies in the file', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: 'grapheme' }), text => {
        try {
          for (const source of readTaskFile(text, 'f')) {
            expect(source.locate('/a/0', 'value').place).toMatch(/^f:\d+:\d+$/);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CliError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('flags of a task', () => {
  test('every one stands for a field that exists, and says so the other way round', () => {
    for (const flag of Object.keys(specFlags) as (keyof typeof specFlags)[]) {
      const multiple = ['env', 'label', 'require', 'prefer'].includes(flag);
      const document = documentOfFlags({ [flag]: multiple ? ['A=1'] : '1' });
      const [field] = Object.keys(document);
      expect(Object.keys(specFields)).toContain(field);
      expect(flagOfPointer(`/${field}/A`)).toBe(`--${flag}`);
    }
  });

  test('counts become numbers, everything else stays as it was typed', () => {
    const document = documentOfFlags({ attempts: '3', ports: 'x', cpu: '2', env: ['A=b=c', 'D='] });
    expect(document).toEqual({ attempts: 3, ports: 'x', cpu: '2', env: { A: 'b=c', D: '' } });
  });

  test('take what is held and what may be used at most, or only that', () => {
    expect(documentOfFlags({ cpu: '1:4', memory: ':4GiB', iops: '10:20', disk: '1GiB' })).toEqual({
      cpu: '1',
      iops: 10,
      disk: '1GiB',
      limits: { cpu: '4', memory: '4GiB', iops: 20 },
    });
    expect(flagOfPointer('/limits/cpu')).toBe('--cpu');
  });

  test('go over the file, joining maps', () => {
    const base = { cpu: 1, env: { A: 'a', B: 'b' }, name: 'n' };
    const merged = overrideDocument(base, { cpu: '2', env: { B: 'c' } });
    expect(merged).toEqual({ cpu: '2', env: { A: 'a', B: 'c' }, name: 'n' });
    expect(overrideDocument('text', { cpu: '2' })).toBe('text');
  });

  test.each(['A', '=x', ''])('refuse %j as a pair', pair => {
    expect(caught(() => documentOfFlags({ env: [pair] })).exit).toBe(2);
    expect(caught(() => readPairs('label', [pair])).exit).toBe(2);
  });
});

describe('prepared tasks', () => {
  const drawId = makeIdSource(1_700_000_000_000);
  const prepare = (value: unknown, flags = {}) => prepareTasks([{ value }], flags, drawId)[0]!;

  test('get an ID each, a hundred of which share a slot', () => {
    const inputs = Array.from({ length: 150 }, () => ({ value: { command: ['a'] } }));
    const tasks = prepareTasks(inputs, {}, makeIdSource(1_700_000_000_000));
    const ids = tasks.map(task => task.id!);
    expect(new Set(ids).size).toBe(150);
    expect(new Set(ids.slice(0, 100).map(id => slotOfId(id as never))).size).toBe(1);
    for (const id of ids) expect(parseTaskId(id)?.atMs).toBe(1_700_000_000_000);
    expect(tasks[0]!.document['id']).toBe(ids[0]);
  });

  test('keep an ID that was given, and draw none for a keyed task', () => {
    const id = '06gzpmwrjc0e3w2zhjxg';
    expect(prepare({ command: ['a'], id })).toMatchObject({ id, document: { id } });
    const keyed = prepare({ command: ['a'], idempotencyKey: 'k' });
    expect(keyed.id).toBeUndefined();
    expect(keyed.document).not.toHaveProperty('id');
  });

  test('know an array', () => {
    expect(prepare({ command: ['a'] }, { array: '1-3' }).array).toBe(true);
  });

  test.each([
    [{ command: ['a'], cap: 0 }, 'badSpec', /a cap of zero/],
    [{ command: ['a'], tier: 'gold' }, 'badSpec', /basic, regular or premium/],
    [{ command: ['a'], image: 'x' }, 'notYet', /not built yet/],
    [{}, 'badSpec', /nothing to run/],
    [['a'], 'badSpec', /a map of fields/],
  ] as const)('refuse %j as %s', (value, code, sentence) => {
    const error = caught(() => prepare(value));
    expect(error).toMatchObject({ code, exit: 2 });
    expect(error.sentence).toMatch(sentence);
  });

  test('a problem of a flag names the flag, one of the file its line', () => {
    const source = readTaskFile('command: [a]\nmemory: lots\n', 'f.yaml')[0]!;
    const error = caught(() =>
      prepareTasks([{ value: source.value, source }], { cpu: 'many' }, drawId),
    );
    expect(error.problems.map(problem => problem.place)).toEqual(['f.yaml:2:9', '--cpu']);
  });

  test('more problems than fit a screen are counted', () => {
    const inputs = Array.from({ length: 40 }, () => ({ value: {} }));
    const error = caught(() => prepareTasks(inputs, {}, drawId));
    expect(error.sentence).toBe('40 problems');
    expect(error.problems).toHaveLength(21);
    expect(error.problems.at(-1)?.message).toBe('and 20 more');
  });
});

describe('values', () => {
  test('durations and counts are read or refused with the flag', () => {
    expect(readDuration('timeout', '1m30s')).toBe(90_000);
    expect(readDuration('timeout', undefined)).toBeUndefined();
    expect(caught(() => readDuration('timeout', 'soon')).sentence).toContain('--timeout soon');
    expect(readCount('limit', '7', { min: 1, max: 9 })).toBe(7);
    for (const text of ['0', '10', '-1', '1.5', 'x', '']) {
      expect(caught(() => readCount('limit', text, { min: 1, max: 9 })).exit).toBe(2);
    }
  });
});

describe('arguments before the command', () => {
  test.each([
    [
      ['--addr', 'h:1', 'status', 'x'],
      ['status', 'x', '--addr', 'h:1'],
    ],
    [
      ['--addr=h:1', '-q', 'list'],
      ['list', '--addr=h:1', '-q'],
    ],
    [
      ['--json', 'submit', '--', 'a', '--b'],
      ['submit', '--json', '--', 'a', '--b'],
    ],
    [
      ['status', '--json'],
      ['status', '--json'],
    ],
    [['--json'], ['--json']],
    [['--help'], ['--help']],
  ])('%j is read as %j', (given, read) => {
    expect(moveLeadingFlags(given)).toEqual(read);
  });

  test('help is a word as well', () => {
    expect(askForHelp(['help', 'node', 'list'])).toEqual(['node', 'list', '--help']);
    expect(askForHelp(['list'])).toEqual(['list']);
  });
});
