/** How fast a shard starts tasks, and when a waiting one is likely to start. */
import { describe, expect, test } from 'vitest';
import { waitingReasons } from '../../../src/model/task.ts';
import { estimateStart } from '../../../src/node/estimate.ts';
import { rateWindowMs, StartRate } from '../../../src/node/start-rate.ts';

describe('starts of a shard', () => {
  test('are counted over the time since counting began, at most over the window', () => {
    const rate = new StartRate(1_000_000);
    for (let second = 1; second <= 20; second++) rate.note(1_000_000 + second * 1_000);
    expect(rate.lately(1_020_000)).toEqual({ starts: 20, overMs: 20_000 });
    const { overMs } = rate.lately(1_000_000 + rateWindowMs * 3);
    expect(overMs).toBeGreaterThan(rateWindowMs - 10_000);
    expect(overMs).toBeLessThanOrEqual(rateWindowMs);
  });

  test('leave the count when the window has passed them', () => {
    const rate = new StartRate(0);
    rate.note(1_000);
    rate.note(100_000);
    expect(rate.lately(rateWindowMs - 1).starts).toBe(2);
    expect(rate.lately(rateWindowMs + 10_000).starts).toBe(1);
    expect(rate.lately(rateWindowMs * 5).starts).toBe(0);
    rate.note(rateWindowMs * 5);
    expect(rate.lately(rateWindowMs * 5).starts).toBe(1);
  });

  test('count on where the clock stands still or is read late', () => {
    const rate = new StartRate(50_000);
    rate.note(50_000);
    rate.note(49_000);
    expect(rate.lately(49_500).starts).toBe(2);
  });
});

describe('the estimate of a start', () => {
  const task = {
    reason: 'Resources',
    nowMs: 1_000_000,
    readyAtMs: 900_000,
    place: { position: 12 },
    lately: { starts: 30, overMs: 60_000 },
  } as const;

  test('is the place in line over the rate', () => {
    expect(estimateStart(task)).toEqual({
      basis: 'rate',
      startAtMs: 1_024_000,
      sentence: '12 in line, and 30 of its shard started in the last 60 s',
    });
  });

  test('is the end of a back-off, and says that it is not before', () => {
    const backing = { ...task, reason: 'BackOff', readyAtMs: 1_005_000 } as const;
    expect(estimateStart(backing)).toEqual({
      basis: 'instant',
      startAtMs: 1_005_000,
      sentence: 'not before the end of its back-off',
    });
  });

  test('is none where nothing has started, and where this node does not lead', () => {
    expect(estimateStart({ ...task, lately: { starts: 0, overMs: 60_000 } })).toMatchObject({
      basis: 'none',
      sentence: expect.stringContaining('no task of its shard has started in the last 60 s'),
    });
    expect(estimateStart({ ...task, lately: undefined })).toMatchObject({ basis: 'none' });
  });

  test('names no instant for a reason that nobody can reckon with', () => {
    const reckoned = waitingReasons.filter(
      reason => estimateStart({ ...task, reason }).basis !== 'none',
    );
    expect(reckoned).toEqual(['Queued', 'Resources', 'BackOff', 'BeginTime', 'Priority']);
  });
});
