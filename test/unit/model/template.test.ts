/** Templates: what may be said, what a use of one makes, and what can never come of a value. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSpecDocument } from '../../../src/model/spec-document.ts';
import { expandTemplate, readTemplate, resolveUse } from '../../../src/model/template.ts';

const defaults = { tenant: 'default', owner: 'ada' };

function template(value: unknown) {
  const reading = readTemplate(value);
  if (!reading.ok) throw new Error(reading.problems.map(one => one.message).join('; '));
  return reading.template;
}

const problemsOf = (value: unknown): readonly string[] => {
  const reading = readTemplate(value);
  return reading.ok ? [] : reading.problems.map(({ pointer, message }) => `${pointer} ${message}`);
};

const nightly = template({
  description: 'what is done each night',
  parameters: {
    day: 'string',
    times: { type: 'int', default: 3, min: 1, max: 10 },
    limit: { type: 'duration', default: '10m' },
    room: { type: 'size', default: '512MiB' },
    share: { type: 'number', default: '0.5' },
    mode: { type: 'enum', values: ['fast', 'slow'], default: 'fast' },
    loud: { type: 'bool', default: false },
  },
  task: {
    command: ['./etl', '--day=${day}', '${mode}', '${loud}', '$${day}'],
    attempts: '${times}',
    cap: '${limit}',
    memory: '${room}',
    cpu: '${share}',
    env: { DAY: '${day}' },
  },
});

describe('a template', () => {
  test('makes a task of values and defaults, each in its form', () => {
    const made = expandTemplate(nightly, { day: '2024-07-31', times: '5', loud: true });
    expect(made).toEqual({
      ok: true,
      document: {
        command: ['./etl', '--day=2024-07-31', 'fast', 'true', '${day}'],
        attempts: 5,
        cap: '10m',
        memory: '512MiB',
        cpu: '0.5',
        env: { DAY: '2024-07-31' },
      },
    });
  });

  test('tells every value that is missing, unknown or wrong at once, with its place', () => {
    const made = expandTemplate(nightly, { times: 11, mode: 'fats', limit: 'soon', dayy: 'x' });
    const told = made.ok
      ? []
      : made.problems.map(({ pointer, message }) => `${pointer} ${message}`);
    expect(told).toEqual([
      expect.stringMatching(
        /^\/set\/dayy the template has no parameter `dayy`; did you mean `day`/,
      ),
      expect.stringMatching(
        /^\/set\/day the parameter `day` \(string\) has no default: .*--set day=/,
      ),
      expect.stringMatching(
        /^\/set\/times the parameter `times` must be a whole number from 1 to 10/,
      ),
      expect.stringMatching(/^\/set\/limit the parameter `limit` must be a duration/),
      expect.stringMatching(/^\/set\/mode the parameter `mode` must be one of fast, slow/),
    ]);
    const far = expandTemplate(nightly, { day: 'x', quux: 'x' });
    expect(far.ok ? [] : far.problems.map(one => one.message)).toEqual([
      expect.stringMatching(/no parameter `quux`; it has day, times, limit/),
    ]);
  });

  test('asks for no value that would be placed nowhere', () => {
    const one = template({
      parameters: { a: 'string', b: 'string', c: 'string' },
      task: { command: ['run', '${a}'], env: { A: '${a}', B: '${b}' } },
    });
    const missing = (own: object): string[] => {
      const made = resolveUse({ template: 'one', ...own }, one, { name: 'one', revision: 2 });
      return made.ok ? [] : made.problems.map(({ pointer }) => pointer);
    };
    const set = { c: 'unused' };
    expect(missing({ set, command: ['run', 'x'], env: { A: 'x', B: 'y' } })).toEqual([]);
    expect(missing({ set, command: ['run', 'x'], env: { A: 'x' } })).toEqual(['/set/b']);
    expect(missing({ set, command: ['run', 'x'], env: { B: 'y' } })).toEqual(['/set/a']);
    expect(missing({ command: ['run', 'x'], env: { A: 'x', B: 'y' } })).toEqual(['/set/c']);
  });

  test('is refused where a placeholder means nothing, or a shell would read the value', () => {
    const parameters = { day: 'string' };
    expect(problemsOf({ parameters, task: { command: ['echo', '${dya}'] } })).toEqual([
      expect.stringContaining('/task/command/1 ${dya} is no parameter'),
    ]);
    expect(problemsOf({ parameters, task: { command: 'echo ${day}' } })).toEqual([
      expect.stringContaining('/task/command a shell would read'),
    ]);
    expect(problemsOf({ parameters, task: { script: 'echo ${day}' } })).toHaveLength(1);
    const behindC = ['/bin/bash', '-ec', 'echo ${day}'];
    expect(problemsOf({ parameters, task: { command: behindC } })).toHaveLength(1);
    // The way out that the message names: the shell's own variable.
    const env = { day: '${day}' };
    expect(problemsOf({ parameters, task: { script: 'echo ${day} ${HOME}', env } })).toEqual([]);
    expect(
      problemsOf({ parameters, task: { command: ['sh', '-c', 'echo "$1"', 'sh', '${day}'] } }),
    ).toEqual([]);
  });

  test('is refused for what is wrong whatever the values are, not for what depends on them', () => {
    const parameters = { tier: 'string' };
    expect(problemsOf({ task: { command: ['a'], attempts: 0 } })).toEqual([
      expect.stringContaining('/task/attempts must be a whole number'),
    ]);
    expect(problemsOf({ parameters, task: { command: ['a'], tier: '${tier}' } })).toEqual([]);
    expect(problemsOf({ task: { command: ['a'], id: 'x' } })).toHaveLength(1);
    expect(problemsOf({ parameters: { 'a b': 'int' }, task: { command: ['a'] } })).toHaveLength(1);
    expect(problemsOf({ parameters: { a: 'float' }, task: { command: ['a'] } })).toHaveLength(1);
    expect(
      problemsOf({ parameters: { a: { type: 'int', default: 'x' } }, task: { command: ['a'] } }),
    ).toEqual([expect.stringContaining('/parameters/a/default the parameter `a` must be a whole')]);
  });

  test('never makes more arguments, fields or placeholders of a value than one', () => {
    const one = template({
      parameters: { a: 'string', b: { type: 'string', default: 'B' } },
      task: { command: ['run', '${a}', 'x${a}y'], env: { A: '${a}', B: '${b}' } },
    });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), drawn => {
        for (const value of [drawn, `${drawn}\${b}`, '${a}', '$(rm)', '", "evil": "', '$${b}']) {
          if (value.includes('\u0000')) continue;
          const made = expandTemplate(one, { a: value });
          expect(made).toEqual({
            ok: true,
            document: { command: ['run', value, `x${value}y`], env: { A: value, B: 'B' } },
          });
        }
      }),
    );
  });
});

describe('a use of a template', () => {
  test('is a plain document with the revision, and its own fields over it', () => {
    const use = { template: 'nightly', set: { day: 'd' }, name: 'mine', env: { MORE: '1' } };
    const made = resolveUse(use, nightly, { name: 'nightly', revision: 3 });
    if (!made.ok) throw new Error('not made');
    expect(made.document).toMatchObject({
      name: 'mine',
      template: 'nightly@3',
      env: { DAY: 'd', MORE: '1' },
    });
    expect(made.document).not.toHaveProperty('set');
    const reading = readSpecDocument(made.document, defaults);
    expect(reading.ok && reading.spec.template).toEqual({ name: 'nightly', revision: 3 });
  });

  test('drops an ID that was drawn before the key of the template was known', () => {
    const keyed = template({
      parameters: { k: 'string' },
      task: { command: ['a'], idempotencyKey: '${k}' },
    });
    const use = { template: 'keyed', set: { k: 'key' }, id: '06fq3v8k2a7d1m9x4t0c' };
    const made = resolveUse(use, keyed, { name: 'keyed', revision: 1 });
    expect(made.ok && made.document).not.toHaveProperty('id');
  });
});
