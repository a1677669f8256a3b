/** The watch over the disk, and the ballast that it keeps: what is under way when it is stopped. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dataDisk } from '../../../src/node/data-disk.ts';
import { DiskWatch } from '../../../src/node/disk-watch.ts';
import { Vitals } from '../../../src/node/vitals.ts';
import type { Disk } from '../../../src/ports/disk.ts';
import { silentLog } from '../../../src/ports/log.ts';

const mib = 1024 ** 2;
const ballastBytes = 8 * mib;

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsched-disk-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** A watch whose clock stands still until it is moved. */
function watching(disk: Disk): { watch: DiskWatch; look: (nowMs: number) => void } {
  let nowMs = 0;
  let fire: () => void = () => undefined;
  const watch = new DiskWatch({
    disk,
    settings: { reserveBytes: mib, ballastBytes },
    clock: {
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      bootMs: () => nowMs,
      after: (_delayMs, next) => {
        fire = next;
        return () => undefined;
      },
    },
    log: silentLog,
    vitals: new Vitals(),
  });
  const look = (atMs: number): void => {
    nowMs = atMs;
    fire();
  };
  return { watch, look };
}

test('a stop leaves off making the ballast, and resolves when nothing is written any more', async () => {
  const made = Promise.withResolvers<boolean>();
  const begun = Promise.withResolvers<() => boolean>();
  const { watch, look } = watching({
    room: async () => ({ freeBytes: 100 * mib, totalBytes: 100 * mib }),
    hasBallast: async () => false,
    makeBallast: wanted => {
      begun.resolve(wanted);
      return made.promise;
    },
  });
  await watch.start();
  look(60_000);
  const wanted = await begun.promise;
  expect(wanted()).toBe(true);
  let over = false;
  const stopped = watch.stop().then(() => {
    over = true;
  });
  expect(wanted()).toBe(false);
  await new Promise(resolve => setImmediate(resolve));
  expect(over).toBe(false);
  made.resolve(false);
  await stopped;
});

test('of a ballast that is not wanted any more nothing is left', async () => {
  const disk = dataDisk(dir, ballastBytes);
  let asked = 0;
  expect(await disk.makeBallast(() => ++asked < 4)).toBe(false);
  expect(asked).toBeGreaterThanOrEqual(4);
  expect(await readdir(dir)).toEqual([]);
  expect(await disk.hasBallast()).toBe(false);
  expect(await disk.makeBallast(() => true)).toBe(true);
  expect(await readdir(dir)).toEqual(['ballast']);
  expect((await stat(join(dir, 'ballast'))).size).toBe(ballastBytes);
  expect(await disk.hasBallast()).toBe(true);
});
