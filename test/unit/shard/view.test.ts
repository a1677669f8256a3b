/** What people see of a task. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';
import { noResources } from '../../../src/model/resources.ts';
import { commandLine, toSummary, toView } from '../../../src/shard/view.ts';
import { anOutcome, aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

const options = { shard: 3, stale: false };

describe('a view', () => {
  test('of a waiting task gives the reason of the planner, else its own', () => {
    const shard = new TestShard();
    const spec = aSpec({ attempts: 2, backoff: { initialMs: 500, maxMs: 500 }, name: 'report' });
    shard.submit([idOf(1)], spec);
    const view = (reason?: string) =>
      toView(shard.machine.record(idOf(1))!, spec, { ...options, reason });
    expect(view()).toEqual({
      id: idOf(1),
      tenant: 'default',
      owner: 'tester',
      name: 'report',
      state: 'waiting',
      reason: 'Queued',
      outcome: undefined,
      attempts: [],
      runs: 0,
      attemptsMax: 2,
      lost: 0,
      tier: 'basic',
      request: spec.request,
      command: '/bin/true',
      submittedAtMs: epochMs,
      settledAtMs: undefined,
      notBeforeMs: undefined,
      startBoundMs: epochMs + limits.toleranceMsDefault,
      shard: 3,
      retryOf: undefined,
      arrayId: undefined,
      arrayIndex: undefined,
      cancelRequested: undefined,
      stale: false,
    });
    expect(view('Resources').reason).toBe('Resources');
    shard.runOnce(idOf(1), 'failed');
    expect(view()).toMatchObject({ reason: 'BackOff', notBeforeMs: epochMs + 500 });
    shard.assign(idOf(1));
    expect(view('Resources')).toMatchObject({ reason: undefined, notBeforeMs: undefined });
  });

  test('tells a limit where it is another amount than what is held', () => {
    const shard = new TestShard();
    const request = { ...noResources, cpuMilli: 500 };
    const spec = aSpec({ request, limit: { ...request, cpuMilli: 2_000 } });
    shard.submit([idOf(1)], spec);
    const view = toView(shard.machine.record(idOf(1))!, spec, options);
    expect(view.request).toEqual(request);
    expect(view.limit).toEqual(spec.limit);
  });

  test('of a settled task gives the outcome of the attempt that settled it', () => {
    const shard = new TestShard();
    const spec = aSpec({ attempts: 2 });
    shard.submit([idOf(1)], spec);
    shard.runOnce(idOf(1), anOutcome('failed', { exitCode: 1 }));
    shard.atMs = 40;
    shard.runOnce(idOf(1), anOutcome('timedOut', { message: 'over 10 s' }), 'n2');
    const view = toView(shard.machine.record(idOf(1))!, spec, options);
    expect(view).toMatchObject({ state: 'failed', reason: 'over 10 s', settledAtMs: epochMs + 40 });
    expect(view.outcome?.kind).toBe('timedOut');
    expect(view.attempts.map(attempt => [attempt.attempt, attempt.run, attempt.node])).toEqual([
      [1, 1, 'n1'],
      [2, 2, 'n2'],
    ]);
    expect(view.attempts[0]).not.toHaveProperty('incarnation');
    expect(toSummary(shard.machine.record(idOf(1))!, spec, options)).toMatchObject({
      state: 'failed',
      nodeName: 'name-n2',
      runs: 2,
    });
  });

  test('of a task that runs shows no outcome yet', () => {
    const shard = new TestShard();
    shard.submit([idOf(1)], aSpec({ attempts: 2 }));
    shard.runOnce(idOf(1), 'failed');
    shard.assign(idOf(1));
    const view = toView(shard.machine.record(idOf(1))!, aSpec({ attempts: 2 }), options);
    expect([view.state, view.outcome]).toEqual(['assigned', undefined]);
  });
});

test('a command line is shown as a shell would take it', () => {
  const argv = ['/bin/sh', '-c', "echo 'a b'", '', 'x=1'];
  expect(commandLine({ kind: 'command', argv })).toBe(`/bin/sh -c 'echo '\\''a b'\\''' '' x=1`);
  const script = {
    kind: 'script' as const,
    name: 'job.sh',
    bytes: new Uint8Array(0),
    args: ['a b'],
  };
  expect(commandLine(script)).toBe(`job.sh 'a b'`);
  expect(commandLine({ kind: 'null' })).toBe('(nothing)');
});
