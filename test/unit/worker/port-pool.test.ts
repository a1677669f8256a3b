import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PortPool } from '../../../src/worker/port-pool.ts';

test('gives ports of its range, one after the other, and the oldest again last', () => {
  const pool = new PortPool({ from: 100, to: 103 });
  expect(pool.take(2)).toEqual([100, 101]);
  pool.giveBack([100]);
  expect(pool.take(1)).toEqual([102]);
  expect(pool.take(2)).toEqual([103, 100]);
});

test('does not give what an attempt has that was found, be it outside the range', () => {
  const pool = new PortPool({ from: 100, to: 102 });
  pool.hold([101, 7]);
  expect(pool.take(2)).toEqual([100, 102]);
  expect(() => pool.hold([7])).toThrow('two holders');
  pool.giveBack([101, 7]);
  expect(pool.take(1)).toEqual([101]);
});

test('gives nothing to who asks for nothing, also without a range', () => {
  expect(new PortPool(undefined).take(0)).toEqual([]);
});

test('never gives a port to two, whatever is taken and given back', () => {
  const moves = fc.array(fc.record({ take: fc.nat(4), back: fc.nat(10) }), { maxLength: 60 });
  fc.assert(
    fc.property(moves, steps => {
      const pool = new PortPool({ from: 1, to: 20 });
      const held: number[][] = [];
      for (const { take, back } of steps) {
        if (held.flat().length + take <= 20) held.push(pool.take(take));
        expect(new Set(held.flat()).size).toBe(held.flat().length);
        const [given] = held.splice(back, 1);
        if (given !== undefined) pool.giveBack(given);
        expect(pool.heldCount).toBe(held.flat().length);
      }
    }),
  );
});
