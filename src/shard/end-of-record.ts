/** How a settled task ended, as those see it that wait for it, from its record. */
import type { SettledEnd } from '../model/message.ts';
import type { TaskRecord } from './record.ts';

export function endOfRecord(record: TaskRecord): SettledEnd {
  const { output } = record.outcome ?? record.attempts.at(-1)?.outcome ?? {};
  if (record.state === 'succeeded') return { end: 'succeeded', output };
  return { end: record.cause?.kind === 'notNeeded' ? 'skipped' : 'failed', output };
}
