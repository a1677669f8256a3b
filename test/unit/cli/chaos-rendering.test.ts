import { expect, test } from 'vitest';
import type { ChaosReport, RunNews } from '../../../cli/chaos-program.ts';
import { LiveLine, renderReport } from '../../../cli/output/chaos.ts';
import { plainScreen } from '../../../cli/output/screen.ts';

const screen = plainScreen(0);

const report: ChaosReport = {
  scenario: 'mine',
  seed: 3,
  verdict: 'red',
  headline: 'A promise was broken.',
  lacks: [],
  notes: [],
  checks: [
    { ok: true, promise: 'This holds', found: '7 tasks', cases: [] },
    { ok: false, promise: 'This does not', found: '1 case', cases: ['task 4 is\u001b[2J lost'] },
  ],
  faults: [
    {
      number: 1,
      kind: 'kill',
      nodes: ['n2'],
      told: ['it was dead'],
      recovery: [{ since: 'begin', ackMs: 120, ledMs: undefined }],
    },
  ],
};

test('a result names the verdict, each promise and each fault', () => {
  expect(renderReport(report, screen).split('\n')).toEqual([
    'RED   mine, seed 3',
    'A promise was broken.',
    '',
    '  holds   This holds (7 tasks)',
    '  BROKEN  This does not (1 case)',
    expect.stringMatching(/^ {12}task 4 is.* lost$/),
    '',
    '  1 kill n2   since its begin: acknowledged 0.1 s, led never',
    '            it was dead',
  ]);
  expect(renderReport(report, screen)).not.toContain('\u001b');
});

test('what was skipped says which fault cannot be done, and why', () => {
  const lacks = [{ kind: 'isolate', reason: 'networks need root' }];
  const skipped = { ...report, verdict: 'skipped' as const, lacks, checks: [], faults: [] };
  expect(renderReport(skipped, screen)).toContain('isolate: networks need root');
});

const tick: RunNews = {
  kind: 'tick',
  ...{ atMs: 2_000, submitted: 9, acked: 8, led: 15, shards: 16, up: 2, nodes: 3 },
  active: ['kill n2'],
};

/** What a run writes to a stream that is a terminal, or is none. */
function written(tty: boolean): string {
  let text = '';
  const write = (chunk: string) => (text += chunk) !== '';
  const stream = { write } as unknown as NodeJS.WriteStream;
  const live = new LiveLine(stream, { ...screen, tty, columns: 60 });
  live.show({ kind: 'step', text: 'starting' });
  live.show(tick);
  live.show({ kind: 'fault', atMs: 2_500, text: 'kill n2 is over' });
  live.clear();
  return text;
}

test('progress on a terminal is one line that is written over', () => {
  expect(written(true)).toBe(
    '          starting\n' +
      '\r\u001b[2K   2.0 s   8 of 9 acknowledged   15/16 shards led   2/3 no…' +
      '\r\u001b[2K   2.5 s  kill n2 is over\n',
  );
});

test('progress elsewhere is lines of what changed', () => {
  expect(written(false)).toBe('          starting\n   2.5 s  kill n2 is over\n');
});
