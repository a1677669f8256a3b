/** The settings of the cluster as a table. */
import type { SettingRow } from '../wire.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

const columns: readonly Column<SettingRow>[] = [
  { title: 'NAME', cell: setting => oneLine(setting.name) },
  { title: 'VALUE', right: true, cell: setting => oneLine(setting.value) },
  { title: 'DEFAULT', right: true, cell: setting => oneLine(setting.default) },
  { title: 'MEANING', cell: setting => oneLine(setting.meaning) },
];

export const renderSettings = (settings: readonly SettingRow[], screen: Screen): string =>
  renderTable(columns, settings, screen);
