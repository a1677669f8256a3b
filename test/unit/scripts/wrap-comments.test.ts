import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { wrapComments } from '../../../scripts/wrap-comments.ts';

const words = (count: number): string => Array.from({ length: count }, () => 'word').join(' ');

describe('Wrapping of comments', () => {
  test('moves what does not fit to the next line of the paragraph', () => {
    const text = ['/**', ` * ${words(21)}`, ' * next.', ' */'].join('\n');
    expect(wrapComments(text)).toBe(
      ['/**', ` * ${words(19)}`, ' * word word next.', ' */'].join('\n'),
    );
  });

  test('begins a line of its own before an end, an empty line or an item of a list', () => {
    for (const after of [' */', ' *', ' * - item', ' * 1. item', ' * @example']) {
      const text = ['/**', ` * ${words(20)}`, after].join('\n');
      expect(wrapComments(text)).toBe(['/**', ` * ${words(19)}`, ' * word', after].join('\n'));
    }
  });

  test('indents what belongs to an item of a list', () => {
    expect(wrapComments(`// - ${words(20)}`)).toBe(`// - ${words(19)}\n//   word`);
  });

  test('gives a one-line comment three lines, or more', () => {
    expect(wrapComments(`  /** ${words(19)} */`)).toBe(
      ['  /**', `   * ${words(19)}`, '   */'].join('\n'),
    );
    expect(wrapComments(`  /** ${words(20)} */`).split('\n')).toHaveLength(4);
  });

  test('leaves code, drawings, long words and all that fits alone', () => {
    for (const line of [
      `const text = '${words(30)}';`,
      `// ${words(19)}`,
      ` *   leader ${'─'.repeat(90)}▶ worker`,
      `// ${'x'.repeat(120)}`,
      `call(); // ${words(25)}`,
    ]) {
      expect(wrapComments(line)).toBe(line);
    }
  });

  test('changes nothing the second time', () => {
    const text = readFileSync(new URL('../../../src/model/bytes.ts', import.meta.url), 'utf8');
    const narrow = text.replaceAll(' * ', ` * ${words(15)} `);
    const once = wrapComments(narrow);
    expect(wrapComments(once)).toBe(once);
  });
});
