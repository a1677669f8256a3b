import { expect, test } from 'vitest';
import { aSpec, idOf, specEntry } from '../../support/shard.ts';
import { LeaderBench, settled } from './leader-bench.ts';

const hour = 3_600_000;
const actor = { name: 'ann', tenant: 'default' };

/** Submits task `n`, and says when the shard has it begin to wait, after the leader's clock. */
async function readyAfter(bench: LeaderBench, n: number, parts = {}): Promise<number> {
  const { hand, leader, shard } = bench;
  const taken = leader.submit(
    { specs: [specEntry(aSpec(parts))], items: [{ id: idOf(n), spec: 0 }] },
    actor,
  );
  await hand.pass(0);
  expect(await taken).toEqual([expect.objectContaining({ ok: true })]);
  return shard.machine.record(idOf(n))!.readySinceMs - hand.clock.wallMs();
}

test('the first task after quiet hours begins to wait when it was submitted', async () => {
  const bench = new LeaderBench();
  expect(await readyAfter(bench, 2)).toBe(0);
  bench.hand.ms += 5 * hour;
  expect(await readyAfter(bench, 3, { delayMs: 600_000 })).toBe(600_000);
  bench.hand.ms += 5 * hour;
  bench.succeed();
  expect(await readyAfter(bench, 4)).toBe(0);
});

test('time is brought up to date once, by a command without items', async () => {
  const bench = new LeaderBench();
  await readyAfter(bench, 2);
  const before = bench.shard.log.length;
  bench.hand.ms += 50_000;
  await readyAfter(bench, 3);
  expect(bench.shard.log.length - before).toBe(1);
  bench.hand.ms += hour;
  bench.holding = true;
  const specs = [specEntry(aSpec())];
  const others = [4, 5].map(n => {
    const taken = bench.leader.submit(
      { specs, items: [{ id: idOf(n), spec: 0 }] },
      { ...actor, name: `${n}` },
    );
    return taken;
  });
  await bench.hand.pass(0);
  bench.release();
  await settled();
  await Promise.all(others);
  expect(bench.shard.log.length - before).toBe(4);
});

test('a clock that was set moves the time of the shard by a minute, not by a day', async () => {
  const bench = new LeaderBench();
  await readyAfter(bench, 2);
  const nowMs = bench.shard.machine.nowMs;
  const { clock } = bench.hand;
  const { wallMs } = clock;
  clock.wallMs = () => wallMs() + 24 * hour;
  await readyAfter(bench, 3);
  clock.wallMs = wallMs;
  await readyAfter(bench, 4);
  expect(bench.shard.machine.nowMs).toBe(nowMs + 60_000);
});
