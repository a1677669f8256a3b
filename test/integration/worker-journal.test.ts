/** The supervisor's journal on a disk that takes only a part of what is written. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readJournal } from '../../src/worker/supervisor/journal.ts';

test('calls no exit durable of which the disk took a part', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-journal-'));
  try {
    const path = join(directory, 'journal');
    const script = new URL('journal-writer.ts', import.meta.url).pathname;
    // As where the disk is full: the write that meets the limit is short, the next one fails. It
    // is that of a start or of an exit, as it happens.
    for (const blocks of [4, 5, 6, 7]) {
      const limit = `trap '' XFSZ; ulimit -f ${blocks};`;
      const { stdout } = spawnSync(
        'sh',
        ['-c', `${limit} exec "$0" "$1" "$2"`, process.execPath, script, path],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 },
      );
      const durable = stdout.split('\n').filter(line => line !== '');
      const recorded = readJournal(path)
        .filter(({ outcome }) => outcome !== undefined)
        .map(({ key }) => key);
      expect(durable.length).toBeGreaterThan(2);
      expect(recorded).toEqual(expect.arrayContaining(durable));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 60_000);
