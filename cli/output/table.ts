/** Columns aligned by their widest cell. The last column is cut to the width of a terminal. */
import { type Paint, paint, type Screen } from './screen.ts';
import { cut } from './text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
  readonly paint?: (row: Row) => Paint | undefined;
}

/** Lines of the table, the header first. Cells must hold no control characters. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  screen: Screen,
): string {
  const cells = rows.map(row => columns.map(column => column.cell(row)));
  const widths = columns.map((column, position) =>
    Math.max(column.title.length, ...cells.map(line => line[position]!.length)),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const lastWidth = Math.max(8, screen.columns - before);
  const renderLine = (line: readonly string[], style: (position: number) => Paint | undefined) =>
    line
      .map((text, position) => {
        const column = columns[position]!;
        const last = position === columns.length - 1;
        const shown = last ? cut(text, lastWidth) : text;
        const width = widths[position]!;
        const padded = column.right ? shown.padStart(width) : last ? shown : shown.padEnd(width);
        const chosen = style(position);
        return chosen === undefined ? padded : paint(screen, chosen, padded);
      })
      .join('  ')
      .trimEnd();
  const header = renderLine(
    columns.map(column => column.title),
    () => 'dim',
  );
  const body = cells.map((line, position) =>
    renderLine(line, column => columns[column]!.paint?.(rows[position]!)),
  );
  return [header, ...body].join('\n');
}
