import { describe, expect, test } from 'vitest';
import { type OutcomeKind, systemOutcome } from '../../../src/model/attempt.ts';
import { readCause, whyNotRetried } from '../../../src/model/failure-causes.ts';
import { limits } from '../../../src/model/limits.ts';
import { readSpecDocument, writeSpecDocument } from '../../../src/model/spec-document.ts';

const ended = (kind: OutcomeKind, more: { exitCode?: number; signal?: string } = {}) => ({
  ...systemOutcome(kind, 1, ''),
  ...more,
});

describe('a cause', () => {
  test.each([
    ['75', '75'],
    [' 075 ', '75'],
    ['SIGTERM', 'SIGTERM'],
    ['sigterm', 'SIGTERM'],
    ['kill', 'SIGKILL'],
    ['Timeout', 'timeout'],
    ['oom', 'oom'],
  ])('%j is read as %s', (text, cause) => {
    expect(readCause(text)).toBe(cause);
  });

  test.each(['0', '256', '-1', '1.5', '', 'SIGNAL', 'oops', 'constructor'])('%j is none', text => {
    expect(readCause(text)).toBeUndefined();
  });
});

describe('a failed run', () => {
  const outcomes = [
    ['75', ended('failed', { exitCode: 75 })],
    ['SIGTERM', ended('failed', { signal: 'SIGTERM' })],
    ['timeout', ended('timedOut', { signal: 'SIGKILL' })],
    ['oom', ended('outOfMemory')],
    ['output', ended('outputTooLarge')],
    ['start', ended('startFailed')],
  ] as const;

  test.each(outcomes)('because of %s is run again where that is asked for', (cause, outcome) => {
    expect(whyNotRetried({ on: [cause, '3'], not: [] }, outcome)).toBeUndefined();
    expect(whyNotRetried({ on: [], not: ['3'] }, outcome)).toBeUndefined();
  });

  test.each(outcomes)('because of %s is not where that is excluded', (cause, outcome) => {
    expect(whyNotRetried({ on: [], not: ['3', cause] }, outcome)).toContain(`${cause} is in`);
    expect(whyNotRetried({ on: ['3', '4'], not: [] }, outcome)).toContain('none of 3, 4');
  });

  test('over its cap is not one that a signal ended, and 143 is no signal', () => {
    expect(whyNotRetried({ on: ['SIGKILL'], not: [] }, outcomes[2][1])).toBeDefined();
    const shell = ended('failed', { exitCode: 143 });
    expect(whyNotRetried({ on: ['SIGTERM'], not: [] }, shell)).toBeDefined();
    expect(whyNotRetried({ on: ['143'], not: [] }, shell)).toBeUndefined();
  });
});

describe('a document', () => {
  const who = { tenant: 'default', owner: 'ann' };
  const read = (fields: object) => readSpecDocument({ command: ['a'], ...fields }, who);
  const problems = (fields: object) => {
    const reading = read(fields);
    return reading.ok ? [] : reading.problems.map(one => `${one.pointer} ${one.message}`);
  };

  test('lists causes in any form, each once and in one order', () => {
    for (const retryOn of ['sigterm, 75,75', ['75', 'SIGTERM'], [75, 'TERM,75']]) {
      const reading = read({ attempts: 2, retryOn, noRetryOn: 9, orderKey: 'k' });
      expect(reading.ok && reading.spec).toMatchObject({
        retryOn: ['75', 'SIGTERM'],
        noRetryOn: ['9'],
        orderKey: 'k',
      });
      const again = reading.ok && read(writeSpecDocument(reading.spec));
      expect(again).toEqual(reading);
    }
  });

  test('is told of every cause that is none, with its place and what may be said', () => {
    expect(problems({ attempts: 2, retryOn: [75, 'oops', 256], noRetryOn: true })).toEqual([
      expect.stringMatching(/^\/retryOn\/1 must be an exit code from 1 to 255.*"oops"/),
      expect.stringMatching(/^\/retryOn\/2 .*"256"/),
      expect.stringMatching(/^\/noRetryOn must be .*not true/),
    ]);
    expect(problems({ attempts: 2, retryOn: [] })).toEqual([expect.stringContaining('no cause')]);
    const many = Array.from({ length: limits.causesMax + 1 }, (_, at) => at + 1);
    expect(problems({ attempts: 2, retryOn: many })).toEqual([expect.stringContaining('at most')]);
  });

  test('is told that nothing is run again with one attempt, and what contradicts itself', () => {
    expect(problems({ retryOn: 75 })).toEqual([
      '/retryOn says when to run again, and `attempts` is 1; raise that to 2 or more',
    ]);
    expect(problems({ attempts: 2, retryOn: [75, 'oom'], noRetryOn: 'oom' })).toEqual([
      '/noRetryOn oom is in `retryOn` too; leave it out of one',
    ]);
    expect(problems({ orderKey: '' })).toEqual(['/orderKey must not be empty']);
  });
});
