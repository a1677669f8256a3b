import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SseMessage, SseParser } from '../../../src/dashboard/sse.ts';

const stream =
  'retry: 1000\n\n: still here\n\nid: a1\ndata: {"x":1}\n\n' +
  'id: a2\r\ndata: one\r\ndata: two\r\n\r\nevent: problem\ndata:no space\nother\n\nid: a3\n\n';
const messages: SseMessage[] = [
  { event: 'message', data: '{"x":1}', id: 'a1' },
  { event: 'message', data: 'one\ntwo', id: 'a2' },
  { event: 'problem', data: 'no space', id: 'a2' },
];

test('messages are the same however the stream is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 12 })), cuts => {
      const parser = new SseParser();
      const found: SseMessage[] = [];
      let at = 0;
      for (const cut of cuts) found.push(...parser.push(stream.slice(at, (at += cut))));
      found.push(...parser.push(stream.slice(at)));
      expect(found).toEqual(messages);
    }),
  );
});

test('a message that is not complete is not given', () => {
  expect(new SseParser().push('id: a1\ndata: {"x":1}\n')).toEqual([]);
});
