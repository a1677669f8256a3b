/** A state machine from stored rows, some at a time: there may be more than memory has room for. */
import type { RowReading } from '../ports/store.ts';
import type { GroupMachine } from './group-machine.ts';

/**
 * What is decoded at a time. Little, so that it is garbage before the young heap is collected: what
 * lives through that is copied, twice, and collected with the old heap (1 MiB took a third more).
 */
const pageBytes = 64 * 1024;

/** Loads all rows of the reading and closes it. `page` is called after each of many steps. */
export async function loadMachine(
  machine: Pick<GroupMachine, 'loadRows' | 'loaded'>,
  reading: RowReading,
  applied: number,
  page: () => Promise<void> | void = () => undefined,
): Promise<void> {
  try {
    for (;;) {
      const rows = await reading.next(pageBytes);
      if (rows.length === 0) break;
      machine.loadRows(rows);
      await page();
    }
  } finally {
    await reading.close();
  }
  machine.loaded(applied);
}
