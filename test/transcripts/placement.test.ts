/** Runs `placement/*.txt`: what the planner decides and says, as text that can be reviewed. */
import { describe, expect, test } from 'vitest';
import { runTranscript, transcriptsIn } from '../support/datadriven.ts';
import { PlacementTranscript } from './placement-transcript.ts';

const dir = new URL('./placement', import.meta.url).pathname;

describe('placement transcripts', () => {
  const names = transcriptsIn(dir);

  test('are all there', () => {
    expect(names).toEqual(expect.arrayContaining(['order.txt', 'spread.txt', 'wishes.txt']));
  });

  test.each(names)('%s', name => {
    const transcript = new PlacementTranscript();
    const run = runTranscript(dir, name, directive => transcript.answer(directive));
    expect(run.actual).toBe(run.expected);
    expect(run.directives).toBeGreaterThan(5);
  });
});
