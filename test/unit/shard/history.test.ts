/** What a shard keeps in memory of settled tasks, and by whom they are counted. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isSettled } from '../../../src/model/task.ts';
import { digestBytes } from '../../../src/shard/keys.ts';
import { ShardMachine } from '../../../src/shard/machine.ts';
import { decodeTaskRow } from '../../../src/shard/record.ts';
import { anOutcome, aSpec, idOf, TestShard } from '../../support/shard.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function memoryBytes(): Promise<number> {
  // What was let go by the first is swept behind it, buffers by the second.
  for (let times = 0; times < 3; times++) {
    collect();
    await new Promise<void>(resolve => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Everything dirty becomes durable; what was written is nowhere but on a disk then. */
function flush(machine: ShardMachine): void {
  const taken = machine.takeFlush(1)!;
  machine.flushed(taken.token);
}

test('settled tasks leave memory once they are stored, but for their IDs', async () => {
  const shard = new TestShard();
  const { machine } = shard;
  const count = 300;
  const before = await memoryBytes();
  for (let n = 1; n <= count; n++) {
    const env: [string, string][] = [['PAD', `${n}`.padEnd(20_000, '-')]];
    shard.submit([idOf(n)], aSpec({ env }));
    shard.runOnce(idOf(n), anOutcome('failed', { tail: `${n}`.padEnd(4_000, '.') }));
  }
  // The log is the driver's.
  shard.log.fill(new Uint8Array());
  const held = (await memoryBytes()) - before;
  expect(held).toBeGreaterThan(count * 20_000);
  flush(machine);
  expect([...machine.hotIds({ settled: true })]).toEqual([]);
  expect(machine.record(idOf(1))).toBeUndefined();
  expect(machine.knows(idOf(1))).toBe(true);
  expect((await memoryBytes()) - before).toBeLessThan(held / 4);
  machine.checkInvariants();
});

test('tasks are counted by tenant while they are kept, also by a replica that loads them', () => {
  const shard = new TestShard();
  const tenants = ['acme', 'acme', 'other', 'acme'];
  tenants.forEach((tenant, n) => {
    shard.submit([idOf(n + 1)], aSpec({ tenant, name: `${n % 2}` }));
  });
  for (const n of [1, 2, 3]) shard.runOnce(idOf(n));
  const counts = (machine: ShardMachine): [string, number][] => [...machine.settledByTenant()];
  expect(counts(shard.machine)).toEqual([
    ['acme', 2],
    ['other', 1],
  ]);
  shard.flush();
  const loaded = new ShardMachine({ shard: 1 });
  loaded.loadRows(shard.rows());
  loaded.loaded(shard.machine.applied);
  expect(counts(loaded).sort()).toEqual(counts(shard.machine).sort());
  const items = shard
    .rows()
    .filter(([key]) => key.length === 21)
    .map(([, value]) => decodeTaskRow(value))
    .filter(({ state }) => isSettled(state))
    .map(({ id, state, digest, keyHash }) => {
      return { taskId: id, state, digest: digestBytes(digest), keyHash };
    });
  expect(items).toHaveLength(3);
  shard.atMs = 60_000;
  shard.apply({ kind: 'expire', items });
  expect(counts(shard.machine)).toEqual([]);
  shard.machine.checkInvariants();
});
