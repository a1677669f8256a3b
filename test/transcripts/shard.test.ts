/** Runs `shard/*.txt`: the life of tasks in one shard, as text that can be reviewed. */
import { describe, expect, test } from 'vitest';
import { runTranscript, transcriptsIn } from '../support/datadriven.ts';
import { ShardTranscript } from './shard-transcript.ts';

const dir = new URL('./shard', import.meta.url).pathname;

describe('shard transcripts', () => {
  const names = transcriptsIn(dir);

  test('are all there', () => {
    expect(names).toHaveLength(17);
  });

  test.each(names)('%s', name => {
    const transcript = new ShardTranscript();
    const run = runTranscript(dir, name, directive => transcript.answer(directive));
    expect(run.actual).toBe(run.expected);
    expect(run.directives).toBeGreaterThan(5);
  });
});
