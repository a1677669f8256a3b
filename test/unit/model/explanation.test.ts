import { expect, test } from 'vitest';
import { outcomeKinds } from '../../../src/model/attempt.ts';
import { explainReason, explainReasons } from '../../../src/model/explanation.ts';
import { taskStates, waitingReasons } from '../../../src/model/task.ts';

test('a task has a reason of the closed set in every state, whatever its outcome', () => {
  const used = new Set<string>();
  for (const state of taskStates) {
    for (const outcome of [undefined, ...outcomeKinds]) {
      for (const cancelling of [false, true]) {
        for (const waiting of [undefined, ...waitingReasons]) {
          used.add(explainReason({ state, cancelling, outcome, waiting }));
        }
      }
    }
  }
  expect([...used].toSorted()).toEqual([...explainReasons].toSorted());
});

test('the reason of a waiting task is the one it waits for', () => {
  const task = { state: 'waiting', cancelling: false, outcome: undefined } as const;
  expect(explainReason({ ...task, waiting: 'Quota' })).toBe('Quota');
  expect(explainReason({ ...task, state: 'failed', outcome: 'timedOut', waiting: undefined })).toBe(
    'TimedOut',
  );
});
