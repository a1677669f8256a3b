/** When a disk is nearly full, and when there is room for the ballast. */
import { expect, test } from 'vitest';
import { DiskRoom } from '../../../src/node/disk-room.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

test('a twentieth of a disk is kept free, 1 GiB to 10 GiB, or what was asked for', () => {
  const usual = new DiskRoom(undefined);
  usual.measured(100 * gib, 100 * gib);
  expect(usual.reserveBytes).toBe(5 * gib);
  const large = new DiskRoom(undefined);
  large.measured(100 * gib, 4_000 * gib);
  expect(large.reserveBytes).toBe(10 * gib);
  const small = new DiskRoom(undefined);
  small.measured(5 * gib, 8 * gib);
  expect(small.reserveBytes).toBe(gib);
  const given = new DiskRoom(300 * mib);
  given.measured(5 * gib, 8 * gib);
  expect(given.reserveBytes).toBe(300 * mib);
});

test('it is nearly full below the reserve, and not again before a quarter more is free', () => {
  const room = new DiskRoom(100 * mib);
  const seen = [150, 100, 99, 100, 124, 125, 100, 99].map(free => {
    room.measured(free * mib, gib);
    return room.low;
  });
  expect(seen).toEqual([false, false, true, true, true, false, false, true]);
  expect(room.describe()).toBe('its disk has 99MiB left, 100MiB are kept free');
});

test('the ballast is made only where it does not bring the reserve near', () => {
  const room = new DiskRoom(100 * mib);
  expect(room.hasRoomFor(64 * mib)).toBe(false);
  room.measured(252 * mib, gib);
  expect(room.hasRoomFor(64 * mib)).toBe(false);
  room.measured(253 * mib, gib);
  expect(room.hasRoomFor(64 * mib)).toBe(true);
  room.measured(99 * mib, gib);
  expect(room.hasRoomFor(0)).toBe(false);
});
