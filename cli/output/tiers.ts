/** The tiers as a table. */
import { formatSize } from '../../src/model/resources.ts';
import { formatDuration } from '../../src/model/time.ts';
import type { TierRow } from '../wire.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';

const columns: readonly Column<TierRow>[] = [
  { title: 'TIER', cell: ({ tier }) => tier },
  { title: 'CPU', right: true, cell: ({ amounts }) => String(amounts.cpuMilli / 1_000) },
  { title: 'MEMORY', right: true, cell: ({ amounts }) => formatSize(amounts.memoryBytes) },
  { title: 'DISK', right: true, cell: ({ amounts }) => formatSize(amounts.diskBytes) },
  { title: 'IOPS', right: true, cell: ({ amounts }) => String(amounts.iops) },
  {
    title: 'BANDWIDTH',
    right: true,
    cell: ({ amounts }) => `${formatSize(amounts.bandwidth)}/s`,
  },
  { title: 'PORTS', right: true, cell: ({ amounts }) => String(amounts.ports) },
  {
    title: 'CAP',
    right: true,
    cell: ({ capMsMax }) => (capMsMax === undefined ? 'none' : formatDuration(capMsMax)),
  },
];

export const renderTiers = (tiers: readonly TierRow[], screen: Screen): string =>
  renderTable(columns, tiers, screen);
