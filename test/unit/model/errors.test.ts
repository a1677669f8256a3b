import { describe, expect, test } from 'vitest';
import { errorTable, isErrorCode, TschedError } from '../../../src/model/errors.ts';

const rows = Object.entries(errorTable);
/** DESIGN section 2, and 74 for a node whose disk failed. */
const exits = [1, 2, 3, 4, 5, 6, 7, 8, 74];

/** Codes that were once told; a new one is added, none is ever taken away. */
const codesOfVersion1 = [
  'badRequest',
  'badSpec',
  'badYaml',
  'badId',
  'ambiguousId',
  'notYet',
  'tooLarge',
  'unauthorized',
  'forbidden',
  'unknownTask',
  'unknownNode',
  'unknownRoute',
  'idTaken',
  'keyConflict',
  'alreadySettled',
  'notSettled',
  'noOutput',
  'nodeUnreachable',
  'neverFits',
  'tooManyTasks',
  'overloaded',
  'noQuorum',
  'notLeader',
  'unreachable',
  'starting',
  'waitTimeout',
  'outcomeUnknown',
  'cursorExpired',
  'joinRefused',
  'badToken',
  'dataDirEmpty',
  'dataDirInUse',
  'dataDirTaken',
  'dataDirForeign',
  'storageFault',
  'internal',
];

describe('The error table', () => {
  test.each(rows)('%s has a status, an exit code and words for a person', (code, row) => {
    expect(code).toMatch(/^[a-z][a-zA-Z]+$/);
    expect(row.http).toBeGreaterThanOrEqual(400);
    expect(row.http).toBeLessThanOrEqual(507);
    expect(exits).toContain(row.exit);
    expect(row.title).toMatch(/^[A-Z].*[^.]$/);
    expect(row.suggestion).toMatch(/^[A-Z].*\.$/);
  });

  test('says what is retried: only what may succeed later has a status of the server', () => {
    const permanent = rows.filter(([, row]) => row.exit === 2 && row.http >= 500);
    expect(permanent.map(([code]) => code)).toEqual(['notYet']);
    const passing = rows.filter(([, row]) => row.exit === 6);
    // 408 is the one status of a client's that says itself that the request may be repeated.
    expect(new Set(passing.map(([, row]) => row.http))).toEqual(new Set([503, 408]));
  });

  test('never loses a code: programs match on it', () => {
    const codes = rows.map(([code]) => code);
    expect(codes).toEqual(expect.arrayContaining(codesOfVersion1));
  });

  test('has no title twice', () => {
    expect(new Set(rows.map(([, row]) => row.title)).size).toBe(rows.length);
  });
});

describe('An error', () => {
  test('carries its code, what it is about and its cause', () => {
    const cause = new Error('socket closed');
    const error = new TschedError(
      'noQuorum',
      'shard 3 has no leader',
      { retryAfterMs: 500 },
      cause,
    );
    expect(error).toMatchObject({
      name: 'TschedError',
      code: 'noQuorum',
      message: 'shard 3 has no leader',
      detail: { retryAfterMs: 500 },
      cause,
    });
    expect('cause' in new TschedError('internal', 'x')).toBe(false);
  });

  test('code is told from other words, those every object has included', () => {
    expect(isErrorCode('noQuorum')).toBe(true);
    for (const word of ['', 'NoQuorum', 'constructor', 'toString', '__proto__']) {
      expect(isErrorCode(word)).toBe(false);
    }
  });
});
