/**
 * The user-space switch and what stands in for broken disks, clocks and memory, each by itself on
 * this machine. What the machine cannot do is told and not tested.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findLacks } from '../../src/chaos/abilities.ts';
import {
  emptyDisk,
  fillDisk,
  flipBytes,
  mountSmallDisk,
  slowSyncs,
  unmountSmallDisk,
  wipeDirectory,
} from '../../src/chaos/disks.ts';
import { makeDraw } from '../../src/chaos/draw.ts';
import type { FaultKind } from '../../src/chaos/fault-kinds.ts';
import { limitMemory } from '../../src/chaos/memory-limit.ts';
import { Network } from '../../src/chaos/network.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const lacks = await findLacks(['isolate', 'diskFull', 'slowDisk', 'outOfMemory']);
const lacking = (kind: FaultKind): boolean => lacks.some(lack => lack.kind === kind);
for (const { kind, reason } of lacks) console.warn(`\nNOT TESTED: ${kind} — ${reason}\n`);

const options = {
  ...{ everyMs: 0, delayMs: 40, jitterMs: 0, percent: 100, rate: 100_000 },
  ...{ bytes: 0, jumpMs: 0, limitBytes: 0 },
};

describe.skipIf(lacking('isolate'))('a network of namespaces', () => {
  let network: Network;
  beforeAll(async () => {
    network = await Network.make(3, 1);
  });
  afterAll(() => network.remove());

  /**
   * Connects from one host to a port of another where nobody listens: milliseconds to the no, the
   * fewest of several tries, as on a busy machine any single one may be late.
   */
  async function knock(from: number, to: number): Promise<number | undefined> {
    const [command = '', ...args] = network.prefix(from);
    const text = `import net from 'node:net';
      const began = performance.now();
      const tookMs = [];
      const end = () => { console.log(Math.min(...tookMs)); process.exit(); };
      const knock = () => {
        const socket = net.connect({ host: '${network.address(to)}', port: 9 });
        const sinceMs = performance.now();
        socket.on('error', error => {
          if (error.code === 'ECONNREFUSED') tookMs.push(performance.now() - sinceMs);
          if (tookMs.length >= 10 || performance.now() - began > 2_000) end();
          else knock();
        });
      };
      knock();
      setTimeout(end, 2_500);`;
    const node = [process.execPath, '--input-type=module', '-e', text];
    const { stdout } = await run(command, [...args, ...node]);
    const least = Number(stdout);
    return Number.isFinite(least) ? least : undefined;
  }

  test('lets packets pass between hosts, and cuts them off from each other', async () => {
    expect(await knock(1, 2)).toBeLessThan(35);
    await network.apply([{ kind: 'isolate', nodes: [2], options }]);
    expect(await knock(1, 2)).toBeUndefined();
    expect(await knock(2, 3)).toBeUndefined();
    expect(await knock(1, 3)).toBeLessThan(35);
    const { dropped } = await network.apply([]);
    expect(dropped).toBeGreaterThan(0);
    expect(await knock(1, 2)).toBeLessThan(35);
  });

  test('delays packets each way, and doubles them without harm', async () => {
    await network.apply([
      { kind: 'delay', nodes: [1], options },
      { kind: 'duplicate', nodes: [1], options },
    ]);
    const tookMs = await knock(1, 2);
    expect(tookMs).toBeGreaterThanOrEqual(79);
    expect(tookMs).toBeLessThan(300);
    expect(await knock(2, 3)).toBeLessThan(35);
    const { doubled } = await network.apply([]);
    expect(doubled).toBeGreaterThan(0);
  });
});

test('a namespace and its devices end with the network', async () => {
  if (lacking('isolate')) return;
  const network = await Network.make(1, 1);
  const devices = async (): Promise<string> => (await run('ip', ['-o', 'link'])).stdout;
  expect(await devices()).toMatch(/tsc\d+h0/);
  await network.remove();
  await until('the device is gone', async () => !/tsc\d+h0/.test(await devices()), 5_000);
});

describe('a disk', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-test-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.skipIf(lacking('diskFull'))('is filled to the last byte and emptied again', async () => {
    const small = join(dir, 'small');
    await mountSmallDisk(small);
    try {
      await writeFile(join(small, 'kept'), 'kept');
      expect(await fillDisk(small)).toBeGreaterThan(100_000_000);
      expect((await statfs(small)).bavail).toBe(0);
      await expect(writeFile(join(small, 'more'), 'x'.repeat(5_000))).rejects.toThrow('ENOSPC');
      await emptyDisk(small);
      await writeFile(join(small, 'more'), 'x'.repeat(5_000));
      await wipeDirectory(small);
      await expect(readFile(join(small, 'kept'))).rejects.toThrow('ENOENT');
    } finally {
      await unmountSmallDisk(small);
    }
  });

  test('has single bits flipped, the same ones for the same seed', async () => {
    const store = join(dir, 'store');
    const path = join(store, '000003.log');
    const before = Buffer.alloc(1_000, 7);
    await run('mkdir', ['-p', store]);
    await writeFile(path, before);
    await writeFile(join(store, 'LOG'), 'for people');
    const told = await flipBytes(dir, 5, makeDraw(3));
    expect(told).toEqual(['5 in 000003.log']);
    const after = await readFile(path);
    const changed = [...after.keys()].filter(at => after[at] !== before[at]);
    expect(changed.length).toBeGreaterThan(2);
    for (const at of changed) {
      expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(after[at]! ^ before[at]!);
    }
    expect(await readFile(join(store, 'LOG'), 'utf8')).toBe('for people');
    await writeFile(path, before);
    await flipBytes(dir, 5, makeDraw(3));
    expect(await readFile(path)).toEqual(after);
  });

  test.skipIf(lacking('slowDisk'))('has syncs that wait, until they do not', async () => {
    const text = `import { closeSync, fdatasyncSync, openSync } from 'node:fs';
      const file = openSync(${JSON.stringify(join(dir, 'synced'))}, 'a');
      setInterval(() => {
        const began = performance.now();
        fdatasyncSync(file);
        console.log(Math.round(performance.now() - began));
      }, 20);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const took: number[] = [];
    child.stdout.on('data', chunk => took.push(...String(chunk).trim().split('\n').map(Number)));
    try {
      await until('it syncs', () => took.length > 3);
      const heal = await slowSyncs(child.pid!, 150);
      await until('syncs take longer', () => took.at(-1)! >= 150);
      await heal();
      await until('syncs are fast again', () => took.at(-1)! < 100);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test.skipIf(lacking('outOfMemory'))('a process that may have no memory is ended', async () => {
  const text = 'const all = []; setInterval(() => all.push(Buffer.alloc(1e6, 1)), 5);';
  const child = spawn(process.execPath, ['-e', text], { stdio: 'ignore' });
  try {
    const undo = limitMemory([child.pid!], 1_048_576, 'test');
    await until('the kernel ends it', () => child.signalCode === 'SIGKILL');
    await undo();
  } finally {
    child.kill('SIGKILL');
  }
});

test('a clock that was preloaded jumps while the process runs; timers do not', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tsched-chaos-clock-'));
  const file = join(dir, 'offset');
  await writeFile(file, '3600000');
  const preload = new URL('../../src/chaos/clock-preload.ts', import.meta.url).href;
  const text = `setInterval(() =>
    console.log(Date.now(), new Date().getTime(), Math.round(performance.now()),
      new Date(5).getTime(), new Date(2020, 1).getFullYear(), new Date() instanceof Date), 20);`;
  const child = spawn(process.execPath, ['--import', preload, '-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSCHED_CHAOS_CLOCK: file },
  });
  let last: string[] = [];
  child.stdout.on('data', chunk => (last = String(chunk).trim().split('\n').at(-1)!.split(' ')));
  const offBy = (): number => Math.round((Number(last[0]) - Date.now()) / 60_000);
  try {
    await until('the clock is an hour ahead', () => offBy() === 60);
    expect(await readFile(`${file}.seen`, 'utf8')).toBe('3600000');
    expect(last.slice(3)).toEqual(['5', '2020', 'true']);
    expect(Math.abs(Number(last[1]) - Number(last[0]))).toBeLessThan(100);
    await writeFile(file, '-86400000');
    await until('the clock is a day behind', () => offBy() === -1_440);
    expect(Number(last[2])).toBeLessThan(60_000);
  } finally {
    child.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
});
