import { describe, expect, test } from 'vitest';
import { decodeJoinToken, encodeJoinToken } from '../../../src/registry/join-token.ts';

const token = {
  version: 1,
  clusterId: 'c0ffee',
  addresses: ['/ip4/10.0.0.1/tcp/7000/p2p/12D3KooW', '/ip4/10.0.0.2/tcp/7000'],
  networkKey: Uint8Array.from({ length: 32 }, (_, position) => position),
  secret: Uint8Array.from({ length: 16 }, (_, position) => 255 - position),
};

describe('a join token', () => {
  test('is read as it was written, in letters that a double click selects', () => {
    const text = encodeJoinToken(token);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeJoinToken(`  ${text}\n`)).toEqual({ ok: true, ...token });
  });

  test('has the bytes of format 1', () => {
    expect(encodeJoinToken(token)).toMatchInlineSnapshot(
      `"tsj_AQB0BmMwZmZlZQIjL2lwNC8xMC4wLjAuMS90Y3AvNzAwMC9wMnAvMTJEM0tvb1cWL2lwNC8xMC4wLjAuMi90Y3AvNzAwMAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fEP_-_fz7-vn49_b19PPy8fB3oC8M"`,
    );
  });

  test('cut short anywhere it says so', () => {
    const text = encodeJoinToken(token);
    for (let length = 5; length < text.length; length++) {
      const reading = decodeJoinToken(text.slice(0, length));
      expect(reading).toMatchObject({ ok: false, message: expect.stringContaining('cut short') });
    }
  });

  test('with any one character changed it is not believed', () => {
    const text = encodeJoinToken(token);
    for (let position = 4; position < text.length; position++) {
      const other = text[position] === 'A' ? 'B' : 'A';
      const changed = text.slice(0, position) + other + text.slice(position + 1);
      expect(decodeJoinToken(changed).ok).toBe(false);
    }
  });

  test.each([
    ['', 'empty'],
    ['hello', 'not a join token'],
    ['tsj_ab+c', 'does not belong'],
    [`tsj_${'A'.repeat(9000)}`, 'too long'],
    ['tsj_AgAAAAAA', 'version 2'],
  ])('%j is told to be wrong in words', (text, part) => {
    expect(decodeJoinToken(text)).toMatchObject({
      ok: false,
      message: expect.stringContaining(part),
    });
  });

  test('a key or secret of the wrong length is a mistake of the program', () => {
    expect(() => encodeJoinToken({ ...token, networkKey: new Uint8Array(31) })).toThrow(RangeError);
    expect(() => encodeJoinToken({ ...token, secret: new Uint8Array(15) })).toThrow(RangeError);
  });
});
