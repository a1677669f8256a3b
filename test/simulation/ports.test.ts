/**
 * TCP ports under faults: whatever restarts, no two processes that live on a machine have one port
 * (the simulated runner checks each start), and each is told its own.
 */
import { expect, test } from 'vitest';
import type { AttemptOrder, Runner } from '../../src/ports/runner.ts';
import { runSeed } from './run.ts';

const timeout = 240_000;

test.each([1, 2, 3])('no port is given to two live attempts, seed %i', { timeout }, async seed => {
  let given = 0;
  const observed = (order: AttemptOrder): AttemptOrder => {
    expect(order.ports).toHaveLength(order.request.ports);
    expect(order.env['TSCHED_PORTS']).toBe(
      order.ports.length === 0 ? undefined : order.ports.join(','),
    );
    given += order.ports.length;
    return order;
  };
  const wrapRunner = (runner: Runner): Runner => ({
    start: events => runner.start(events),
    launch: order => runner.launch(observed(order)),
    end: (key, kind) => runner.end(key, kind),
    control: (...asked) => runner.control(...asked),
    renew: shards => runner.renew(shards),
    acknowledge: key => runner.acknowledge(key),
    output: (...asked) => runner.output(...asked),
    stop: options => runner.stop(options),
  });
  const result = await runSeed(seed, {
    plants: { wrapRunner },
    options: {
      nodes: 3,
      shards: 2,
      skewedClocks: false,
      growUnderLoad: false,
      longTaskPercent: 50,
      faults: ['crash', 'supervisorCrash', 'supervisorFreeze', 'pause', 'stop', 'transfer'],
      faultEveryMs: 2_000,
      requestEveryMs: 100,
      duplicatePercent: 10,
      reorderPercent: 10,
      events: 8_000,
      ports: true,
    },
  });
  expect(result.message).toBe('');
  expect(result.verdict).toBe('ok');
  expect(given).toBeGreaterThan(50);
});
