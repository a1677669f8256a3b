import { describe, expect, test } from 'vitest';
import { leaseDeadline, lossGraceMs } from '../../../src/worker/lease.ts';
import { ShardLease } from '../../../src/worker/shard-lease.ts';

describe('a lease', () => {
  test('ends at nine tenths of its length less the grace, counted from the request', () => {
    expect(leaseDeadline(1_000_000, 20_000, 2_000)).toBe(1_016_000);
  });

  test('that is shorter than the grace leaves time to run', () => {
    expect(lossGraceMs(5_000, 60_000)).toBe(2_000);
    expect(leaseDeadline(0, 5_000, 60_000)).toBe(2_500);
  });
});

describe('the lease with a shard', () => {
  test('is live from the acknowledgement, by the time the request was sent', () => {
    const lease = new ShardLease();
    const sequence = lease.send(1_000, []);
    expect(lease.live(1_000, 20_000, 2_000)).toBe(false);
    lease.acknowledge(sequence);
    expect(lease.live(16_999, 20_000, 2_000)).toBe(true);
    expect(lease.live(17_000, 20_000, 2_000)).toBe(false);
  });

  test('takes no acknowledgement of a request that an earlier process of the node sent', () => {
    const [before, after] = [new ShardLease(), new ShardLease()];
    const old = [before.send(50_000, []), before.send(51_250, [])];
    after.send(60_000, []);
    after.send(61_250, []);
    for (const sequence of old) expect(after.acknowledge(sequence)).toBeUndefined();
    expect(after.ackedSentMs).toBeUndefined();
  });

  test('takes no acknowledgement twice, nor of a request before one that is acknowledged', () => {
    const lease = new ShardLease();
    const [first, second] = [lease.send(10, []), lease.send(20, [])];
    expect(lease.acknowledge(second)?.sentBootMs).toBe(20);
    expect(lease.acknowledge(second)).toBeUndefined();
    expect(lease.acknowledge(first)).toBeUndefined();
    expect(lease.ackedSentMs).toBe(20);
  });

  test('remembers a bounded number of requests', () => {
    const lease = new ShardLease();
    const first = lease.send(1, []);
    for (let number = 0; number < 32; number++) lease.send(2 + number, []);
    expect(lease.acknowledge(first)).toBeUndefined();
  });
});
