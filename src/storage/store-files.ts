/** What a store needs of its directory: LevelDB's files, and the mark beside them. */
import { checkFiles, type OpenRules } from './before-open.ts';
import { assertDatabase, makeDatabase, openDatabase, syncDirectory } from './data-dir.ts';
import type { Database } from './level-log.ts';
import { Mark } from './mark.ts';

/** The simulator has one of its own. */
export interface StoreFiles {
  assertDatabase(): Promise<void>;
  /** Answers the batch that has to be there at least. Throws `StoreDamage`. */
  check(rules: OpenRules): Promise<number>;
  open(): Promise<Database>;
  /** Sets the mark, and keeps it open. */
  openMark(batch: number): Promise<Pick<Mark, 'set' | 'close'>>;
  /** Makes the names in it durable. */
  sync(): Promise<void>;
  make(fill: (db: Database) => Promise<void>): Promise<void>;
}

export const storeFiles = (directory: string): StoreFiles => ({
  assertDatabase: () => assertDatabase(directory),
  check: checkFiles,
  open: () => openDatabase(directory, { create: false }),
  openMark: batch => Mark.open(directory, batch),
  sync: () => syncDirectory(directory),
  make: fill => makeDatabase(directory, fill),
});
