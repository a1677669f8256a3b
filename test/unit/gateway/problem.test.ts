import { expect, test } from 'vitest';
import {
  problemOf,
  problemOfDocument,
  problemOfError,
  refuse,
} from '../../../src/gateway/problem.ts';
import { type ErrorCode, errorTable, TschedError } from '../../../src/model/errors.ts';

test.each(Object.keys(errorTable) as ErrorCode[])('%s becomes a whole problem document', code => {
  expect(problemOf(code, 'why')).toEqual({
    type: `urn:tsched:error:${code}`,
    title: errorTable[code].title,
    status: errorTable[code].http,
    detail: 'why',
    code,
    suggestion: errorTable[code].suggestion,
    ...(['overloaded', 'tooManyTasks', 'diskFull'].includes(code) ? { retryAfterMs: 1_000 } : {}),
  });
});

test('an operational error keeps its code, its field and its delay', () => {
  const error = new TschedError('overloaded', 'busy', { field: '/x', retryAfterMs: 10 });
  expect(problemOfError(error)).toMatchObject({
    code: 'overloaded',
    detail: 'busy',
    field: '/x',
    retryAfterMs: 10,
  });
});

test('a bug has no problem document', () => {
  expect(problemOfError(new Error('secret'))).toBeUndefined();
  expect(problemOfError('secret')).toBeUndefined();
  expect(problemOfError(undefined)).toBeUndefined();
});

test('problems of one kind keep their code, mixed ones are a bad specification', () => {
  const notYet = { pointer: '/after', code: 'notYet', message: 'not built' } as const;
  const badSpec = { pointer: '/cpu', code: 'badSpec', message: 'wrong' } as const;
  expect(problemOfDocument([notYet])).toMatchObject({ code: 'notYet', field: '/after' });
  expect(problemOfDocument([notYet, badSpec])).toMatchObject({
    code: 'badSpec',
    detail: '/after: not built (and 1 more)',
    problems: [notYet, badSpec],
  });
});

test('refusing throws the problem', () => {
  expect(() => refuse('badId', 'no such form')).toThrow('no such form');
});
