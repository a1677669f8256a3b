import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyReceiver, jsonDepthMax, parseJson, tooDeep } from '../../../src/gateway/body.ts';
import { Intake } from '../../../src/gateway/intake.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('JSON bodies', () => {
  test('may nest up to the limit and not deeper', () => {
    expect(parseJson(bytes(nested(jsonDepthMax)))).toBeInstanceOf(Array);
    expect(() => parseJson(bytes(nested(jsonDepthMax + 1)))).toThrow('deeper than 32');
    expect(() => parseJson(bytes(`{"a":${nested(jsonDepthMax)}}`))).toThrow('deeper than 32');
  });

  test('may hold brackets in texts, escaped quotes before them or not', () => {
    const text = `${'['.repeat(100)}\\"{{{"`;
    expect(parseJson(bytes(JSON.stringify({ a: text })))).toEqual({ a: text });
  });

  test('are measured like a parser would', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
        : 0;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(6), (value, depthMax) => {
        expect(tooDeep(bytes(JSON.stringify(value)), depthMax)).toBe(depthOf(value) > depthMax);
      }),
    );
  });

  test.each([
    '{"__proto__":{"a":1}}',
    '{"a":[{"__proto__":1}]}',
    '{"\\u005f_proto__":{}}',
    '{"constructor":{"prototype":{"a":1}}}',
    '{"constr\\u0075ctor":{"prototype":{}}}',
  ])('that reach a prototype are refused: %s', text => {
    expect(() => parseJson(bytes(text))).toThrow('__proto__ or constructor.prototype');
  });

  test.each(['{"a":"__proto__"}', '{"constructor":1}', '{"prototype":{}}', '"\\u0041"'])(
    'that only look like it are taken: %s',
    text => {
      expect(parseJson(bytes(text))).toEqual(JSON.parse(text));
    },
  );

  test('that are not UTF-8 or not JSON are refused with words', () => {
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not valid UTF-8');
    expect(() => parseJson(bytes('{"a":}'))).toThrow('not valid JSON');
  });

  test('no bytes make the parser throw anything but a problem', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), raw => {
        try {
          parseJson(Buffer.from(raw));
        } catch (error) {
          expect((error as Error).name).toBe('ProblemError');
        }
      }),
    );
  });
});

function incoming(headers: Record<string, string> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;
}

describe('receiving a body', () => {
  const receiver = new BodyReceiver(60_000, new Intake(1_000_000));
  receiver.close();

  test('joins its chunks', async () => {
    const request = incoming();
    const received = receiver.receive(request, 100);
    request.write('ab');
    request.end('cd');
    expect((await received).toString()).toBe('abcd');
  });

  test('takes exactly the limit and refuses one byte more', async () => {
    const fits = incoming();
    const fitting = receiver.receive(fits, 4);
    fits.end('abcd');
    expect((await fitting).length).toBe(4);
    const over = incoming();
    const refused = receiver.receive(over, 4);
    over.end('abcde');
    await expect(refused).rejects.toThrow('limit of 4 bytes');
  });

  test('refuses an announced length over the limit before any byte', async () => {
    const request = incoming({ 'content-length': '5' });
    await expect(receiver.receive(request, 4)).rejects.toThrow('limit of 4 bytes');
  });

  test('fails when the client goes away in the middle', async () => {
    const request = incoming();
    const received = receiver.receive(request, 100);
    request.write('ab');
    request.destroy();
    await expect(received).rejects.toThrow('before it was complete');
  });
});
