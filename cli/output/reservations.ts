/** Reservations as a table. */
import { describeResources } from '../../src/model/reservation.ts';
import { addResources, noResources } from '../../src/model/resources.ts';
import type { ReservationRow } from '../wire.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

/** `node-a: 500m of ..`: what of it is used where, and which parts are gone. */
function partText({ nodeName, held, used }: ReservationRow['parts'][number]): string {
  const name = oneLine(nodeName);
  if (!held) return `${name} (gone)`;
  return used === undefined
    ? `${name} (not heard of)`
    : `${name} (uses ${describeResources(used)})`;
}

const usedOf = ({ parts }: ReservationRow) =>
  parts.reduce((sum, { used }) => (used ? addResources(sum, used) : sum), noResources);

const columns: readonly Column<ReservationRow>[] = [
  { title: 'NAME', cell: row => oneLine(row.name) },
  { title: 'TENANT', cell: row => oneLine(row.tenant) },
  { title: 'UNTIL', cell: row => `${new Date(row.untilMs).toISOString().slice(0, 16)}Z` },
  { title: 'HELD ON EACH', cell: row => describeResources(row.amount) },
  { title: 'USED', cell: row => describeResources(usedOf(row)) },
  { title: 'NODES', cell: row => row.parts.map(partText).join(', ') },
];

export const renderReservations = (rows: readonly ReservationRow[], screen: Screen): string =>
  renderTable(columns, rows, screen);
