/** The document that changes a task. */
import { expect, test } from 'vitest';
import { readUpdateDocument, writeUpdateDocument } from '../../../src/model/spec-update.ts';
import { smallSpec } from './samples.ts';

const problemsOf = (document: unknown): readonly string[] => {
  const reading = readUpdateDocument(document);
  return reading.ok ? [] : reading.problems.map(({ pointer, message }) => `${pointer} ${message}`);
};

test('an update reads its fields as a submit does, and a cap of none', () => {
  const document = { cap: '90s', attempts: 4, backoff: '2s', name: 'n', labels: { a: 'b' } };
  const reading = readUpdateDocument(document);
  expect(reading).toEqual({
    ok: true,
    overrides: {
      capMs: 90_000,
      attempts: 4,
      backoff: { initialMs: 2_000, maxMs: 60_000 },
      name: 'n',
      labels: [['a', 'b']],
    },
  });
  expect(readUpdateDocument({ priority: 'normal', tolerance: '90s' })).toEqual({
    ok: true,
    overrides: { priority: 'normal', toleranceMs: 90_000 },
  });
  expect(readUpdateDocument({ cap: 'none' })).toEqual({ ok: true, overrides: { capMs: 0 } });
});

test('an update tells all that is wrong with it', () => {
  expect(problemsOf({})).toEqual([expect.stringContaining('says nothing to change')]);
  expect(problemsOf({ env: { A: '1' }, caps: '1s', attempts: 0 })).toEqual([
    expect.stringContaining('/env `env` cannot change once a task is submitted'),
    expect.stringContaining('/caps unknown field `caps`; did you mean `cap`?'),
    expect.stringContaining('/attempts must be a whole number'),
  ]);
  expect(problemsOf({ tolerance: '-5m', priority: 'urgent' })).toEqual([
    expect.stringContaining('/tolerance '),
    expect.stringContaining('/priority must be high, normal, low'),
  ]);
  expect(problemsOf({ expire: '1h' })).toEqual([
    expect.stringContaining('/expire `expire` cannot'),
  ]);
  expect(problemsOf('x')).toHaveLength(1);
});

test('what was changed is shown as a document would say it', () => {
  const overrides = {
    capMs: 0,
    name: '',
    labels: [],
    attempts: 2,
    priority: 'normal',
    toleranceMs: 90_000,
  } as const;
  expect(writeUpdateDocument(smallSpec, overrides)).toEqual({
    name: '',
    labels: {},
    attempts: 2,
    cap: 'none',
    priority: 'normal',
    tolerance: '1m30s',
  });
});
