import { describe, expect, test } from 'vitest';
import { noResources } from '../../../src/model/resources.ts';
import {
  type Bounds,
  baseFile,
  boundFiles,
  boundsOf,
  overMemory,
  sharesOf,
  weightOf,
} from '../../../src/worker/supervisor/bounds.ts';
import type { Controller } from '../../../src/worker/supervisor/own-groups.ts';

const bounds = (changes: Partial<Bounds>): Bounds => ({
  memoryBytes: 0,
  cpuMilli: 0,
  heldCpuMilli: 1_000,
  processes: 4_096,
  ...changes,
});

/** As a shell would write them. */
const lines = (controller: Controller, version: 1 | 2, changes: Partial<Bounds> = {}): string[] =>
  boundFiles(controller, version, bounds(changes)).map(({ name, text }) => `${name} ${text}`);

describe('what the kernel is told', () => {
  test('of memory: the limit, next to no swap beside it, and that all of it ends together', () => {
    expect(lines('memory', 2, { memoryBytes: 67_108_864 })).toEqual([
      'memory.max 67108864',
      'memory.swap.max 0',
      'memory.oom.group 1',
    ]);
    expect(lines('memory', 1, { memoryBytes: 67_108_864 })).toEqual([
      'memory.memsw.limit_in_bytes -1',
      'memory.limit_in_bytes 67108864',
      'memory.memsw.limit_in_bytes 67174400',
    ]);
  });

  test('of memory without a limit: that there is none, for the group may have had one', () => {
    expect(lines('memory', 2)).toContain('memory.max max');
    expect(lines('memory', 1)).toContain('memory.limit_in_bytes -1');
  });

  test('of CPU: so much time of each period, and a share by what is held', () => {
    expect(lines('cpu', 2, { cpuMilli: 1_500 })).toEqual([
      'cpu.max 150000 100000',
      'cpu.weight 100',
    ]);
    expect(lines('cpu', 2)).toEqual(['cpu.max max 100000', 'cpu.weight 100']);
    expect(lines('cpu', 1, { cpuMilli: 500, heldCpuMilli: 100 })).toEqual([
      'cpu.cfs_quota_us -1',
      'cpu.cfs_period_us 100000',
      'cpu.cfs_quota_us 50000',
      'cpu.shares 102',
    ]);
    expect(lines('cpu', 1)[2]).toBe('cpu.cfs_quota_us -1');
  });

  test('of very little CPU: the least time that it takes, of a longer period', () => {
    expect(lines('cpu', 2, { cpuMilli: 10 })[0]).toBe('cpu.max 1000 100000');
    expect(lines('cpu', 2, { cpuMilli: 4 })[0]).toBe('cpu.max 1000 250000');
    expect(lines('cpu', 2, { cpuMilli: 1 })[0]).toBe('cpu.max 1000 1000000');
  });

  test('of processes: how many', () => {
    for (const version of [1, 2] as const)
      expect(lines('pids', version)).toEqual(['pids.max 4096']);
  });
});

test('shares and weights are those of a CPU times what is held, within what the kernel takes', () => {
  expect([0, 100, 1_000, 2_000_000].map(sharesOf)).toEqual([2, 102, 1_024, 262_144]);
  expect([0, 100, 1_000, 2_000_000].map(weightOf)).toEqual([1, 10, 100, 10_000]);
});

test('all attempts together weigh one process a CPU, less where the supervisor is nice', () => {
  expect(baseFile(1, 4, 0)).toEqual({ name: 'cpu.shares', text: '4096' });
  expect(baseFile(2, 4, 0)).toEqual({ name: 'cpu.weight', text: '400' });
  expect(Number(baseFile(1, 4, 19).text)).toBeLessThan(100);
});

test('an attempt is bounded by its limit, weighed by its request', () => {
  const limit = { ...noResources, cpuMilli: 1_000, memoryBytes: 5 };
  const request = { ...noResources, cpuMilli: 100 };
  expect(boundsOf({ limit, request }, 2)).toEqual({
    memoryBytes: 5,
    cpuMilli: 1_000,
    heldCpuMilli: 100,
    processes: 4_096,
  });
  // All the CPUs of the machine are no bound.
  expect(boundsOf({ limit, request }, 1).cpuMilli).toBe(0);
});

test('who is ended for it is told the limit', () => {
  expect(overMemory(256 * 1024 * 1024)).toBe(
    'used more than its memory limit of 256MiB; --memory asks for more',
  );
});
