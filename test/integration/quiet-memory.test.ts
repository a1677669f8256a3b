/** A process that has worked gives back the memory that its work took. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('quiet-memory-process.ts', import.meta.url));

test('memory is given back once the work is over', async () => {
  const { stdout, exitCode } = await execa(process.execPath, ['--expose-gc', program], {
    reject: false,
    timeout: 30_000,
  });
  expect(stdout).toMatch(/^gave back memory of \d+ objects$/);
  expect(exitCode).toBe(0);
});
