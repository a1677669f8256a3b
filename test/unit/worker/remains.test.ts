/** The way to the supervisor's socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { socketPath } from '../../../src/worker/supervisor/remains.ts';

test('a long path takes one descriptor, however often a supervisor is looked for', () => {
  const root = mkdtempSync(join(tmpdir(), 'tsched-remains-'));
  try {
    const dataDir = join(root, 'd'.repeat(100));
    const path = socketPath(dataDir);
    expect(path.length).toBeLessThan(100);
    for (let count = 0; count < 10; count++) expect(socketPath(dataDir)).toBe(path);
  } finally {
    rmSync(root, { recursive: true });
  }
});
