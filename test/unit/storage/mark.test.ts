/** The mark of a store: golden bytes, and which of its two slots counts. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeMark, Mark, readMark } from '../../../src/storage/mark.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tsched-mark-'));
});
afterEach(() => rm(directory, { recursive: true }));

const file = (): string => join(directory, 'acknowledged');

test('a slot has its golden bytes, and fills a sector', () => {
  const slot = encodeMark(300);
  expect(slot).toHaveLength(512);
  expect(Buffer.from(slot.subarray(0, 11)).toString('hex')).toBe('0100000000012c10d88968');
});

test('the newest slot that can be read counts; without any the store is damaged', async () => {
  expect(await readMark(directory)).toBe(0);
  const mark = await Mark.open(directory, 7);
  await mark.set(8);
  await mark.set(9);
  await mark.close();
  expect(await readMark(directory)).toBe(9);
  const bytes = await readFile(file());
  // The older slot was written over last: nine is in the second one.
  bytes[512 + 6]! ^= 1;
  await writeFile(file(), bytes);
  expect(await readMark(directory)).toBe(8);
  bytes[6]! ^= 1;
  await writeFile(file(), bytes);
  await expect(readMark(directory)).rejects.toThrow('cannot be read');
  await writeFile(file(), '');
  await expect(readMark(directory)).rejects.toThrow('cannot be read');
});

test('a store that gave up lost batches begins a lower mark', async () => {
  await (await Mark.open(directory, 100)).close();
  await (await Mark.open(directory, 40)).close();
  expect(await readMark(directory)).toBe(40);
});
