import { expect, test } from 'vitest';
import type { ShardCommandBody } from '../../../src/model/command.ts';
import { TschedError } from '../../../src/model/errors.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import type { ShardLeader } from '../../../src/node/shard-leader.ts';
import { StartBounds } from '../../../src/node/start-bounds.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

/** One shard that is led here; what it is asked is applied when `apply` is called. */
class Desk {
  readonly shard = new TestShard();
  clusterVersion = 3;
  nowMs = 0;
  asked = 0;
  readonly replica = { leading: true };
  #waiting: { readonly apply: () => void; readonly fail: () => void }[] = [];
  readonly bounds: StartBounds;

  constructor() {
    const context = {
      log: silentLog,
      clock: { wallMs: () => epochMs + this.nowMs },
      clusterVersion: () => this.clusterVersion,
    } as unknown as NodeContext;
    const leader = {
      shard: 1,
      machine: this.shard.machine,
      replica: this.replica,
      ask: (body: ShardCommandBody) =>
        new Promise((resolve, reject) => {
          this.asked++;
          this.#waiting.push({
            apply: () => resolve(this.shard.apply(body).replies),
            fail: () => reject(new TschedError('notLeader', 'not any more')),
          });
        }),
    };
    this.bounds = new StartBounds(context, () => [leader as unknown as ShardLeader]);
  }

  round(atMs: number): void {
    this.nowMs = atMs;
    this.shard.atMs = atMs;
    this.bounds.round();
  }

  async answer(how: 'apply' | 'fail'): Promise<void> {
    for (const waiting of this.#waiting.splice(0)) waiting[how]();
    await new Promise(resolve => setImmediate(resolve));
  }
}

test('what is due is proposed once at a time, and what is dropped is counted when it was decided', async () => {
  const desk = new Desk();
  desk.shard.submit([idOf(1)], aSpec({ toleranceMs: 5_000, expireMs: 9_000 }));
  desk.shard.submit([idOf(2)], aSpec({ toleranceMs: 5_000 }));
  desk.round(4_999);
  expect(desk.asked).toBe(0);
  desk.round(5_000);
  desk.round(5_300);
  expect(desk.asked).toBe(1);
  await desk.answer('fail');
  desk.round(5_600);
  expect(desk.asked).toBe(2);
  await desk.answer('apply');
  expect(desk.bounds.dropped).toBe(0);
  desk.round(6_000);
  expect(desk.asked).toBe(2);
  desk.round(9_000);
  await desk.answer('apply');
  expect(desk.bounds.dropped).toBe(1);
});

test('nothing is proposed that an older program would stop at, nor by who does not lead', () => {
  const desk = new Desk();
  desk.shard.submit([idOf(1)], aSpec({ toleranceMs: 5_000 }));
  desk.clusterVersion = 2;
  desk.round(60_000);
  desk.clusterVersion = 3;
  desk.replica.leading = false;
  desk.round(61_000);
  expect(desk.asked).toBe(0);
});
