/**
 * The reference pages that are made from tables. `UPDATE=1` rewrites them; without it the test
 * fails where a page and its table differ.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorTable } from '../../../src/model/errors.ts';
import { limitFieldNames, notYetFields, specFields } from '../../../src/model/spec-fields.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;

function errorPage(): string {
  const rows = Object.entries(errorTable).map(([code, error]) =>
    row(`\`${code}\``, String(error.http), String(error.exit), error.title, error.suggestion),
  );
  return `# Errors

Every error has a stable code. Programs match on the code, never on a message. Over HTTP an error is a
problem document (RFC 9457, \`application/problem+json\`) whose \`code\` is in this table and whose \`type\`
is \`urn:tsched:error:\` and the code; \`detail\` says what happened, \`field\` where, \`problems\` lists all
that is wrong with a task document, \`retryAfterMs\` (and the header \`Retry-After\`) when to try again, \`id\`
with which ID a repeat is safe. With \`--json\` the CLI prints the same fields; it ends with the exit code.

This page is made from the table in \`src/model/errors.ts\`.

${row('Code', 'HTTP', 'Exit', 'Meaning', 'What to do')}
${row('---', '---', '---', '---', '---')}
${rows.join('\n')}
`;
}

function taskPage(): string {
  const rows = Object.entries(specFields).map(([name, field]) =>
    row(
      `\`${name}\``,
      String(field['description']),
      `\`${JSON.stringify((field['examples'] as unknown[])[0])}\``,
    ),
  );
  return `# The task document

One task as people and programs write it: a map of fields, the same in YAML (\`tsched submit -f\`), over
HTTP and behind the flags of \`tsched submit\`. Exactly one of \`command\`, \`script\`, \`scriptBase64\` and
\`handler\` says what runs; everything else may be left out. Sizes are bytes or texts such as \`512MiB\`
(binary) and \`100MB\` (decimal); durations are seconds or texts such as \`10m\`, \`1h30m\`, \`250ms\`. An
unknown field is an error, and every problem of a document is told at once.

\`limits\` may hold ${limitFieldNames.map(name => `\`${name}\``).join(', ')}.

This page is made from the table in \`src/model/spec-fields.ts\`.

${row('Field', 'Meaning', 'Example')}
${row('---', '---', '---')}
${rows.join('\n')}

## Declared, not built yet

These names are taken; a document that holds one is refused with the code \`notYet\`:
${notYetFields.map(name => `\`${name}\``).join(', ')}.
`;
}

test.each([
  ['errors.md', errorPage],
  ['task.md', taskPage],
])('%s says what the table says', (file, render) => {
  const path = new URL(`../../../docs/reference/${file}`, import.meta.url);
  if (process.env['UPDATE'] === '1') writeFileSync(path, render());
  expect(readFileSync(path, 'utf8')).toBe(render());
});

test('every error has a sentence for what it means and what to do', () => {
  for (const [code, error] of Object.entries(errorTable)) {
    expect([code, error.suggestion.endsWith('.'), error.title.length > 5]).toEqual([
      code,
      true,
      true,
    ]);
    expect([code, error.http >= 400 && error.http < 600]).toEqual([code, true]);
    expect([code, [1, 2, 5, 6, 7, 8, 74].includes(error.exit)]).toEqual([code, true]);
  }
});

test('every example with a body says what it is', () => {
  const page = readFileSync(new URL('../../../docs/reference/http.md', import.meta.url), 'utf8');
  const calls = page.replaceAll('\\\n', ' ').match(/curl .*/g) ?? [];
  const bodies = calls.filter(call => / (-d|-T) /.test(call));
  expect(bodies.length).toBeGreaterThan(20);
  expect(bodies.filter(call => !/"\$json"|Content-Type/.test(call))).toEqual([]);
});
