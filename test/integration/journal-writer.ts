/** A process that keeps a supervisor's journal; prints the key of each exit it calls durable. */
import { systemOutcome } from '../../src/model/attempt.ts';
import type { TaskId } from '../../src/model/ids.ts';
import { Journal } from '../../src/worker/supervisor/journal.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const journal = new Journal(
  process.argv[2] ?? '',
  () => [],
  error => {
    throw error;
  },
);

const request = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0, iops: 0, bandwidth: 0, ports: 0 };

function next(fence: number): void {
  const key = `00000000000000000000.${fence}`;
  const taskId = '00000000000000000000' as TaskId;
  journal.start({ key, shard: 1, taskId, fence, request, startedAtMs: 1 });
  journal.flush();
  journal.exit(key, systemOutcome('succeeded', 1, ''), () => {
    say(key);
    next(fence + 1);
  });
}

next(1);
