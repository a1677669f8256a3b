/**
 * A process that writes to a store until it is killed or the disk fails. Prints `found N` after the
 * open, `done N` after every durable batch, `fault CODE` when the store reports one.
 */
import { silentLog } from '../../src/ports/log.ts';
import { createLevelStore } from '../../src/storage/level-store.ts';
import { batchOf, countBatches, firstBatch } from './storage-batches.ts';

const directory = process.argv[2] ?? '';
// Synchronous on a pipe: a line that was printed has reached the parent.
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const store = createLevelStore({ directory, log: silentLog });
const image = await store.open(error => {
  say(`fault ${'code' in error ? String(error.code) : error.message}`);
  process.exit(74);
});
let count = await countBatches(store, image);
say(`found ${count}`);

const next = (): void => {
  count++;
  store.write(batchOf(count), () => {
    say(`done ${count}`);
    next();
  });
};
if (image.groups.length === 0) store.write(firstBatch, next);
else next();
