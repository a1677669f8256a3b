/** Templates: the table of `template list`, and one with its parameters. */
import { stringify } from 'yaml';
import type { TemplateCard, TemplateRow } from '../wire.ts';
import { ago } from './age.ts';
import { paint, type Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

export function renderTemplates(templates: readonly TemplateRow[], screen: Screen): string {
  if (templates.length === 0) return 'there are no templates: tsched template create NAME -f FILE';
  const columns: readonly Column<TemplateRow>[] = [
    { title: 'NAME', cell: row => oneLine(row.name) },
    { title: 'REVISION', right: true, cell: row => String(row.revision) },
    { title: 'TENANT', cell: row => oneLine(row.tenant) },
    { title: 'CHANGED', cell: row => ago(row.atMs, screen.nowMs) },
    { title: 'BY', cell: row => oneLine(row.by) },
    { title: 'DESCRIPTION', cell: row => oneLine(row.description) },
  ];
  return renderTable(columns, templates, screen);
}

/** The text of a template, as a file that `template update` takes. */
export function renderTemplate(template: TemplateCard, screen: Screen): string {
  const { name, revision, tenant, by, atMs, description, parameters, task } = template;
  const head = `# ${name}@${revision} of tenant ${tenant}, by ${by} ${ago(atMs, screen.nowMs)}`;
  const text = stringify({ ...(description === '' ? {} : { description }), parameters, task });
  return `${paint(screen, 'dim', oneLine(head))}\n${text.trimEnd()}`;
}
