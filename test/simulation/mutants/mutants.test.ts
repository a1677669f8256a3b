/** The list is sound, and some bugs are found here; `npm run sim:mutants` tries them all. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readFound } from './found.ts';
import { rootUrl } from './hunt.ts';
import { editsOf, plant, seedsMax } from './mutant.ts';
import { mutants } from './mutants.ts';
import { runHunt } from './run-hunt.ts';

const found = readFound();

describe('the list of mutants', () => {
  test.each(mutants)('puts $name into one place each of its files', mutant => {
    for (const edit of editsOf(mutant)) {
      const source = readFileSync(new URL(edit.file, rootUrl), 'utf8');
      expect(plant(source, edit)).not.toBe(source);
    }
    const files = editsOf(mutant).map(edit => edit.file);
    expect(new Set(files).size).toBe(files.length);
  });

  test('names each once, with a sentence', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    for (const { name, sentence } of mutants) {
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('holds what an edit says that stands nowhere, or twice', () => {
    const edit = { file: 'a.ts', search: 'x', replacement: 'y' };
    expect(plant('axb', edit)).toBe('ayb');
    expect(() => plant('ab', edit)).toThrow(/0 times in a\.ts/);
    expect(() => plant('xax', edit)).toThrow(/2 times in a\.ts/);
  });

  test('has at least 25, and for every one a seed that found it', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(25);
    expect(found.map(one => one.name)).toEqual(mutants.map(one => one.name));
    for (const { seed } of found) expect(seed).toBeLessThanOrEqual(seedsMax);
  });
});

/** One of each kind; a seed may have moved with the code, so that others are tried as well. */
const tried = [
  'vote-before-fsync',
  'one-vote-wins',
  'term-never-written',
  'submit-not-known-by-id',
  'never-released',
];

test.each(tried)('the simulator finds %s', { timeout: 120_000 }, async name => {
  const seed = found.find(one => one.name === name)?.seed;
  const hunt = await runHunt(name, 40, seed === undefined ? [] : [seed]);
  expect(hunt.seed).toBeDefined();
});
