/** `docs/reference/limits.md` says what the table says. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../../src/model/limits.ts';

const page = readFileSync(new URL('../../../docs/reference/limits.md', import.meta.url), 'utf8');
const mib = 1024 * 1024;

const rows = page
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))
  .filter(cells => /^`[a-zA-Z]+`$/.test(cells[3] ?? ''))
  .map(cells => [cells[3]!.replaceAll('`', ''), cells[2]!] as const);

test('the page names bounds that exist', () => {
  expect(rows.length).toBeGreaterThan(10);
});

test.each(rows)('%s is told as it is', (name, told) => {
  const value = (limits as Readonly<Record<string, number>>)[name];
  expect(value).toBeDefined();
  const number = Number(told.replace(/ MiB$/, '').replaceAll(',', ''));
  expect(told.endsWith(' MiB') ? number * mib : number).toBe(value);
});
