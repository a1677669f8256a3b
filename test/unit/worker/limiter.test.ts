/** The limiter on directories of plain files that stand for control groups. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bounds } from '../../../src/worker/supervisor/bounds.ts';
import { Limiter } from '../../../src/worker/supervisor/limiter.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-limiter-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A group as the kernel would make it, with these files. */
function group(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(dir, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}
const read = (...names: string[]): string => readFileSync(join(dir, ...names), 'utf8');

const bounds: Bounds = { memoryBytes: 1_000, cpuMilli: 500, heldCpuMilli: 100, processes: 10 };
const firstFiles = {
  'cgroup.procs': '',
  'memory.limit_in_bytes': '',
  'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n',
  'memory.failcnt': '0\n',
  'memory.usage_in_bytes': '0\n',
};
const first = (): Limiter => new Limiter([{ controller: 'memory', version: 1, base: dir }]);

test('of cgroup2 the group that holds the attempt is bounded, and asked', () => {
  const held = group('held', {
    'memory.max': '',
    'cpu.max': '',
    'cpu.weight': '',
    'memory.events': 'low 0\nhigh 0\nmax 7\noom 0\noom_kill 0\noom_group_kill 0\n',
  });
  const limiter = new Limiter([
    { controller: 'memory', version: 2, base: dir },
    { controller: 'cpu', version: 2, base: dir },
  ]);
  const limits = limiter.limit(bounds, held);
  // What not every kernel has may be missing.
  expect([read('held', 'memory.max'), read('held', 'cpu.max')]).toEqual(['1000', '50000 100000']);
  expect([limits.joins, limits.inKernel, limits.endsOneByOne]).toEqual([[], true, false]);
  expect(limits.verdict()).toBeUndefined();
  writeFileSync(join(held, 'memory.events'), 'max 9\noom 0\noom_kill 1\n');
  expect(limits.verdict()).toBe('others');
  writeFileSync(join(held, 'memory.events'), 'max 9\noom 2\noom_kill 1\n');
  expect(limits.verdict()).toBe('own');
});

test('of version 1 a group of its own is entered, and used again where nothing happened', () => {
  const path = group('attempt-1', firstFiles);
  const limiter = first();
  const one = limiter.limit(bounds, '');
  expect([one.joins, one.inKernel, one.endsOneByOne]).toEqual([[path], true, true]);
  expect([read('attempt-1', 'memory.limit_in_bytes'), one.verdict()]).toEqual(['1000', undefined]);
  one.release();
  const two = limiter.limit({ ...bounds, memoryBytes: 2_000 }, '');
  expect([two.joins, two.verdict()]).toEqual([[path], undefined]);
  expect(read('attempt-1', 'memory.limit_in_bytes')).toBe('2000');
});

test('who was ended at its own limit is told from who was ended for others, once', () => {
  const path = group('attempt-1', { ...firstFiles, 'memory.oom_control': 'oom_kill 1\n' });
  const next = group('attempt-2', firstFiles);
  const limiter = first();
  const one = limiter.limit(bounds, '');
  expect(one.verdict()).toBe('others');
  writeFileSync(join(path, 'memory.failcnt'), '12\n');
  expect(one.verdict()).toBe('own');
  one.release();
  expect(limiter.limit(bounds, '').joins).toEqual([next]);
});

test('a group that is charged with what its attempt left is not used again', () => {
  const path = group('attempt-1', { ...firstFiles, 'memory.usage_in_bytes': '9000000\n' });
  const next = group('attempt-2', firstFiles);
  const limiter = first();
  const one = limiter.limit(bounds, '');
  expect(one.joins).toEqual([path]);
  one.release();
  expect(limiter.limit(bounds, '').joins).toEqual([next]);
});

test('a bound that the kernel does not take is an error, not left out', () => {
  group('attempt-1', { ...firstFiles, 'memory.limit_in_bytes': '' });
  rmSync(join(dir, 'attempt-1', 'memory.limit_in_bytes'));
  expect(() => first().limit(bounds, '')).toThrow(/memory.limit_in_bytes/);
});

test('without controllers nothing is entered, and memory has to be watched', () => {
  const limits = new Limiter([]).limit(bounds, '');
  expect([limits.joins, limits.inKernel, limits.verdict()]).toEqual([[], false, undefined]);
});
