import { expect, test } from 'vitest';
import { livesOf, readAttemptLog } from '../../../src/chaos/attempt-log.ts';
import { checkHistory } from '../../../src/chaos/checks.ts';
import { renderPage } from '../../../src/chaos/page.ts';
import { quantile, type Report, reportRun, reportSkipped } from '../../../src/chaos/report.ts';
import { readScenario } from '../../../src/chaos/scenario-reading.ts';
import { bounds, past } from './past.ts';

const reading = readScenario({
  name: 'mine',
  about: 'One <node> dies.',
  faults: [{ at: '1s', kind: 'kill', target: 'n1' }],
});
if (!reading.ok) throw new Error('the scenario is not one');
const input = {
  scenario: reading.scenario,
  seed: 42,
  startedAt: '2026-01-02T03:04:05.000Z',
  version: '1.2.3',
};

function report(changes: Parameters<typeof past>[0] = {}): Report {
  const history = past(changes);
  return reportRun(input, history, checkHistory(history, bounds));
}

test('a report tells what happened, in this structure', () => {
  const { checks, ...rest } = report();
  expect(checks.every(check => check.ok)).toBe(true);
  expect(rest).toMatchInlineSnapshot(`
    {
      "about": "One <node> dies.",
      "bucketMs": 500,
      "buckets": [
        {
          "acked": 0,
          "begun": 0,
          "ended": 0,
          "fromMs": 0,
        },
        {
          "acked": 0,
          "begun": 0,
          "ended": 0,
          "fromMs": 500,
        },
        {
          "acked": 1,
          "begun": 1,
          "ended": 0,
          "fromMs": 1000,
          "p50Ms": 10,
          "p99Ms": 10,
        },
        {
          "acked": 0,
          "begun": 0,
          "ended": 1,
          "fromMs": 1500,
        },
        {
          "acked": 1,
          "begun": 1,
          "ended": 0,
          "fromMs": 2000,
          "p50Ms": 10,
          "p99Ms": 10,
        },
        {
          "acked": 0,
          "begun": 0,
          "ended": 0,
          "fromMs": 2500,
        },
        {
          "acked": 0,
          "begun": 0,
          "ended": 1,
          "fromMs": 3000,
        },
        {
          "acked": 0,
          "begun": 0,
          "ended": 0,
          "fromMs": 3500,
        },
      ],
      "endMs": 4000,
      "faults": [
        {
          "does": "is killed with -9, and started again when the fault is over",
          "fromMs": 1000,
          "kind": "kill",
          "nodes": [
            "n1",
          ],
          "number": 1,
          "promise": "its shards elect at once; its tasks go on under the supervisor; no acknowledged task is lost, none runs twice at once",
          "recovery": [
            {
              "ackMs": 110,
              "fault": 1,
              "ledMs": 400,
              "since": "begin",
            },
            {
              "ackMs": 110,
              "fault": 1,
              "ledMs": 100,
              "since": "end",
            },
          ],
          "toMs": 2000,
          "told": [],
        },
      ],
      "format": 1,
      "headline": "All promises were kept: 2 acknowledged tasks through 1 fault, none lost, none run twice at once, all replicas equal.",
      "lacks": [],
      "lanes": [
        {
          "led": [
            {
              "atMs": 0,
              "count": 1,
            },
            {
              "atMs": 1200,
              "count": 0,
            },
          ],
          "node": "n1",
          "spans": [
            {
              "fromMs": 0,
              "state": "up",
              "toMs": 1000,
            },
            {
              "fromMs": 1000,
              "state": "down",
              "toMs": 2000,
            },
            {
              "fromMs": 2000,
              "state": "up",
              "toMs": 4000,
            },
          ],
        },
        {
          "led": [
            {
              "atMs": 0,
              "count": 1,
            },
            {
              "atMs": 1400,
              "count": 2,
            },
          ],
          "node": "n2",
          "spans": [
            {
              "fromMs": 0,
              "state": "up",
              "toMs": 4000,
            },
          ],
        },
        {
          "led": [
            {
              "atMs": 0,
              "count": 0,
            },
          ],
          "node": "n3",
          "spans": [
            {
              "fromMs": 0,
              "state": "up",
              "toMs": 4000,
            },
          ],
        },
      ],
      "nodes": 3,
      "notes": [],
      "scenario": "mine",
      "seed": 42,
      "shards": 16,
      "startedAt": "2026-01-02T03:04:05.000Z",
      "totals": {
        "ackP50Ms": 10,
        "ackP99Ms": 10,
        "acked": 2,
        "attempts": 3,
        "longestSilenceMs": 1000,
        "lostAttempts": 1,
        "replicasCompared": 40,
        "settled": 2,
        "slowestAckRecoveryMs": 110,
        "slowestLedRecoveryMs": 400,
        "submitted": 2,
      },
      "verdict": "green",
      "version": "1.2.3",
      "workEndMs": 3000,
    }
  `);
});

test('a broken promise is named first', () => {
  const { verdict, headline } = report({ leftovers: ['4711 sleep 60'] });
  expect(verdict).toBe('red');
  expect(headline).toBe(
    'A promise was broken: “No process was left behind” does not hold ' +
      '(1 case of processes of the run).',
  );
});

test('what was skipped is not green and says why', () => {
  const skipped = reportSkipped(input, [{ kind: 'isolate', reason: 'networks need root' }]);
  expect(skipped).toMatchObject({ verdict: 'skipped', checks: [], faults: [] });
  expect(skipped.headline).toContain('networks need root');
  const page = renderPage(skipped);
  expect(page).toContain('SKIPPED');
  expect(page).not.toContain('<svg');
});

test('the page loads and runs nothing, and escapes what it is told', () => {
  const page = renderPage(report({ leftovers: ['1 <script>alert("x")</script>'] }));
  expect(page).not.toMatch(/<script|<link|<img|@import|url\(|\bsrc=|\bhref=/);
  expect(page.replaceAll(/xmlns="[^"]*"/g, '')).not.toMatch(/https?:\/\//);
  expect(page).toContain('&lt;script&gt;');
  expect(page).toContain('One &lt;node&gt; dies.');
  expect(page).toContain('prefers-color-scheme: dark');
});

test('the picture has a lane for each node, a band for each fault and the four lines', () => {
  const page = renderPage(report());
  expect(page.match(/class="lane"/g)).toHaveLength(3);
  expect(page.match(/class="band"/g)).toHaveLength(1);
  expect(page.match(/class="down"/g)).toHaveLength(1);
  expect(page.match(/class="lead"/g)).toHaveLength(3);
  for (const name of ['acked', 'ended', 'p50', 'p99']) expect(page).toContain(`series s-${name}`);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

test('nodes that end when the cluster is taken down are not drawn as down', () => {
  const spans = [...past().spans, { node: 2, fromMs: 4_001, state: 'down' as const }];
  expect(report({ spans }).lanes[1]?.spans).toEqual([{ fromMs: 0, toMs: 4_000, state: 'up' }]);
});

test('bands that would lie on one another have rows of their own', () => {
  const [fault] = past().faults;
  const faults = [1, 2, 3].map(number => ({ ...fault!, number }));
  const page = renderPage(report({ faults }));
  const tops = [...page.matchAll(/class="bar" x="[^"]*" y="(\d+)"/g)].map(match => match[1]);
  expect(new Set(tops).size).toBe(3);
});

test('a run without faults and without submits can still be drawn', () => {
  const empty = { faults: [], submits: [], lines: [], leaders: [], tasks: new Map() };
  expect(renderPage(report(empty))).not.toMatch(/NaN|undefined|Infinity/);
});

test('quantiles of nothing are none, of one value that', () => {
  expect(quantile([], 0.5)).toBeUndefined();
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(3);
});

test('lines that were cut short are left out of what attempts said', () => {
  const text = 'start 1 abc 1 10.5 n1\nalive 1 ab\nend 1 abc 1 11.25 n1\nnoise\nend 2 abc 1 11.';
  const lines = readAttemptLog(text);
  expect(lines.map(line => line.what)).toEqual(['start', 'end']);
  expect(livesOf(lines).get(1)).toEqual([
    {
      ...{ id: 'abc', number: 1, fence: 1, node: 'n1', fromS: 10.5, toS: 11.25 },
      ...{ boots: [0], starts: 1, ended: true },
    },
  ]);
});
