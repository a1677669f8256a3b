import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slotCount } from '../../../src/model/ids.ts';
import { hashText, initialSlotTable, keySlot, mix32 } from '../../../src/model/slots.ts';

describe('The slot of a key', () => {
  // A stored task would be looked for elsewhere if one of these changed.
  test('is the same for ever', () => {
    expect(['', 'a', 'default\u0000order-7', 'ключ', '😀'].map(text => hashText(text))).toEqual([
      2872998923, 2448022055, 1096363435, 1398607446, 2916093958,
    ]);
    expect(mix32(1)).toBe(1364076727);
    expect(keySlot({ tenant: 'default', idempotencyKey: 'nightly' })).toBe(4070);
  });

  test('is none for a task without keys, which may carry any', () => {
    expect(keySlot({ tenant: 'default' })).toBeUndefined();
  });

  test('is in range, and that of the order key where there are both', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (tenant, orderKey, idempotencyKey) => {
        const slot = keySlot({ tenant, orderKey, idempotencyKey })!;
        expect(Number.isInteger(slot) && slot >= 0 && slot < slotCount).toBe(true);
        expect(slot).toBe(keySlot({ tenant, orderKey }));
        expect(keySlot({ tenant, idempotencyKey: orderKey })).toBe(slot);
      }),
    );
  });

  test('differs between tenants and spreads evenly', () => {
    const counts = new Array<number>(64).fill(0);
    let moved = 0;
    for (let n = 0; n < 6_400; n++) {
      const slot = keySlot({ tenant: 'a', idempotencyKey: `key-${n}` })!;
      counts[slot % 64]!++;
      if (slot !== keySlot({ tenant: 'b', idempotencyKey: `key-${n}` })) moved++;
    }
    // 100 a shard on average; five standard deviations of a fair throw are 50.
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(150);
    expect(moved).toBeGreaterThan(6_300);
  });
});

describe('The first slot table', () => {
  test('gives every shard as many slots as any other', () => {
    for (const shards of [1, 2, 16, 64, 4_096]) {
      const table = initialSlotTable(shards);
      expect(table).toHaveLength(slotCount);
      const counts = new Map<number, number>();
      for (const shard of table) counts.set(shard, (counts.get(shard) ?? 0) + 1);
      expect([...counts.keys()].sort((a, b) => a - b)).toEqual(
        Array.from({ length: shards }, (_, n) => n + 1),
      );
      expect(new Set(counts.values())).toEqual(new Set([slotCount / shards]));
    }
  });
});
