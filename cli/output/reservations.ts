/** Reservations as a table. */
import { describeResources } from '../../src/model/reservation.ts';
import { addResources, noResources } from '../../src/model/resources.ts';
import type { ReservationRow } from '../wire.ts';
import { boundText } from './age.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

/** `node-a: 500m of ..`: what of it is used where, and which parts are gone. */
function partText({ nodeName, held, used }: ReservationRow['parts'][number]): string {
  const name = oneLine(nodeName);
  if (!held) return `${name} (gone)`;
  return used === undefined
    ? `${name} (use not known yet)`
    : `${name} (uses ${describeResources(used)})`;
}

/** Of all nodes that have said something; they do so every second. */
function usedText({ parts }: ReservationRow): string {
  const known = parts.flatMap(({ used }) => (used === undefined ? [] : [used]));
  return known.length === 0 ? '-' : describeResources(known.reduce(addResources, noResources));
}

const columns = (screen: Screen): readonly Column<ReservationRow>[] => [
  { title: 'NAME', cell: row => oneLine(row.name) },
  { title: 'TENANT', cell: row => oneLine(row.tenant) },
  { title: 'UNTIL', cell: row => boundText(row.untilMs, screen.nowMs) },
  { title: 'HELD ON EACH', cell: row => describeResources(row.amount) },
  { title: 'USED', cell: usedText },
  { title: 'NODES', cell: row => row.parts.map(partText).join(', ') },
];

export const renderReservations = (rows: readonly ReservationRow[], screen: Screen): string =>
  renderTable(columns(screen), rows, screen);
