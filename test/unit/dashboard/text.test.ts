import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutputText, oneLine } from '../../../src/dashboard/text.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const whole = (text: string): string => {
  const output = new OutputText();
  return output.push(bytesOf(text)) + output.end();
};
const misleading = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('one line', () => {
  test.each([
    ['plain – ünïcode 猫', 'plain – ünïcode 猫'],
    ['two\nlines\r\nand\tmore', 'two ⏎ lines ⏎ and more'],
    ['\u001b[2Jgone\u0007', '\\x1b[2Jgone\\x07'],
    ['invoice\u202efdp.exe', 'invoice\\u202efdp.exe'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('of %j is %j', (text, shown) => {
    expect(oneLine(text)).toBe(shown);
  });

  const code = fc.oneof(fc.nat({ max: 0xff }), fc.integer({ min: 0x2000, max: 0x2070 }));
  test('never holds what would mislead a reader', () => {
    fc.assert(
      fc.property(
        fc.array(code).map(codes => String.fromCharCode(...codes)),
        text => {
          expect(oneLine(text)).not.toMatch(misleading);
          expect(oneLine(text)).not.toContain('\n');
        },
      ),
    );
  });
});

describe('output', () => {
  test.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007shown', 'shown'],
    ['10%\r20%\r\ndone\n', '10%\n20%\ndone\n'],
    ['a\u0000b\u0008', 'a\\x00b\\x08'],
    ['\u001b]never ended\nnext line', '\\x1b]never ended\nnext line'],
    ['ends in half an escape \u001b[3', 'ends in half an escape \\x1b[3'],
  ])('%j is shown as %j', (text, shown) => {
    expect(whole(text)).toBe(shown);
  });

  test('is the same however it is cut into pieces', () => {
    const part = fc.constantFrom(
      '\u001b[1m',
      '\u001b]0;x\u0007',
      '\r\n',
      '\r',
      'é',
      '猫',
      'a',
      '\u001b',
    );
    fc.assert(
      fc.property(fc.array(part), fc.array(fc.nat({ max: 5 })), (parts, cuts) => {
        const bytes = bytesOf(parts.join(''));
        const output = new OutputText();
        let text = '';
        let at = 0;
        for (const cut of cuts) text += output.push(bytes.subarray(at, (at += cut)));
        text += output.push(bytes.subarray(at)) + output.end();
        expect(text).toBe(whole(parts.join('')));
        expect(text).not.toMatch(misleading);
      }),
    );
  });
});
