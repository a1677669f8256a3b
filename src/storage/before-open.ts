/**
 * What has to be known of a database before LevelDB opens it, because LevelDB would drop, take or
 * rewrite what is damaged without a word: its write-ahead logs, its tables, and the mark.
 */
import type { Log } from '../ports/log.ts';
import { StoreDamage } from './damage.ts';
import { assertUnlocked } from './data-dir.ts';
import { readMark } from './mark.ts';
import { scanTables } from './table-scan.ts';
import { scanWals } from './wal-scan.ts';

export interface OpenRules {
  readonly directory: string;
  readonly log: Log;
  /** Damage is told in the log only. */
  readonly acceptDataLoss?: boolean | undefined;
}

/** Answers the batch that has to be there at least. Throws `StoreDamage`. */
export async function checkFiles(rules: OpenRules): Promise<number> {
  await checkWals(rules);
  for (const what of await scanTables(rules.directory)) {
    // Another process may be at work on these files.
    await assertUnlocked(rules.directory);
    refuse(rules, what);
  }
  return await readMark(rules.directory);
}

/** Throws unless the loss is accepted. */
export function refuse({ directory, log, acceptDataLoss }: OpenRules, what: string): void {
  if (acceptDataLoss !== true) throw new StoreDamage(what);
  log.warn('opening a damaged store, data is lost', { directory, what });
}

async function checkWals(rules: OpenRules): Promise<void> {
  const report = await scanWals(rules.directory);
  if (report === undefined) return;
  const { verdict, offset, batches } = report.finding;
  if (verdict === 'torn') {
    const fields = { file: report.file, offset, batches };
    rules.log.info('dropped the batch that was being written at the last stop', fields);
    return;
  }
  // Another process may be writing this very file; then its end means nothing.
  await assertUnlocked(rules.directory);
  refuse(
    rules,
    `${report.file}: the write-ahead log is damaged at byte ${offset} (${verdict}), ` +
      'batches that were acknowledged would be lost',
  );
}
