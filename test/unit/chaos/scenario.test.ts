import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { faultNames } from '../../../src/chaos/fault-kinds.ts';
import { readDocument } from '../../../src/chaos/main.ts';
import { readScenario } from '../../../src/chaos/scenario-reading.ts';
import { planFaults } from '../../../src/chaos/schedule.ts';

const dir = new URL('../../../src/chaos/scenarios/', import.meta.url).pathname;
const shipped = readdirSync(dir).map(file => file.replace(/\.yaml$/, ''));

const smallest = { name: 'mine', faults: [{ at: '1s', kind: 'kill' }] };
const problems = (value: unknown): string[] => {
  const reading = readScenario(value);
  return reading.ok ? [] : reading.problems.map(({ pointer, message }) => `${pointer} ${message}`);
};

test('what a scenario leaves out has a value', () => {
  const reading = readScenario(smallest);
  expect(reading).toMatchObject({
    ok: true,
    scenario: {
      nodes: 3,
      shards: 16,
      rate: 20,
      ordered: { keys: 3, percent: 20 },
      bounded: { toleranceMs: 2_000, percent: 20 },
      schedules: { once: 3, everyMinute: 1 },
      faults: [{ atMs: 1_000, forMs: 5_000, target: { of: 'random', count: 1 } }],
      checks: { ackWithinMs: 10_000, ledWithinMs: 10_000, settleWithinMs: 90_000 },
    },
  });
});

test('faults are read in the order of time, with what is theirs', () => {
  const faults = [
    { at: '9s', kind: 'clockJump', jump: '-30m', target: 'n1,n2' },
    { at: '2s', kind: 'slowDisk', delay: '200ms', for: '3s' },
    { at: '5s', kind: 'restart' },
  ];
  const reading = readScenario({ name: 'mine', faults });
  expect(reading).toMatchObject({
    scenario: {
      faults: [
        { kind: 'slowDisk', forMs: 3_000, options: { delayMs: 200 } },
        { kind: 'restart', forMs: 0 },
        {
          kind: 'clockJump',
          options: { jumpMs: -1_800_000 },
          target: { of: 'nodes', numbers: [1, 2] },
        },
      ],
    },
  });
});

test.each([
  ['nothing at all', null, ' must be a map, not nothing'],
  ['no name', { faults: [] }, ' has no `name`'],
  ['no faults', { name: 'mine' }, ' has no `faults`'],
  ['a misspelt part', { ...smallest, workloads: {} }, '/workloads unknown field `workloads`'],
  ['an unknown kind', { name: 'a', faults: [{ at: 1, kind: 'kil' }] }, '/faults/0/kind must be'],
  ['a fault without time', { name: 'a', faults: [{ kind: 'kill' }] }, '/faults/0 has no `at`'],
  [
    'a node that is not there',
    { name: 'a', faults: [{ at: 1, kind: 'kill', target: 'n4' }] },
    '/faults/0/target names n4; the cluster has n1 to n3',
  ],
  [
    'a target that is none',
    { name: 'a', faults: [{ at: 1, kind: 'kill', target: 'somebody' }] },
    '/faults/0/target must be `n2`',
  ],
  [
    'a field of another kind',
    { name: 'a', faults: [{ at: 1, kind: 'kill', percent: 3 }] },
    '/faults/0/percent `percent` means nothing for kill',
  ],
  [
    'a length of what has none',
    { name: 'a', faults: [{ at: 1, for: 2, kind: 'restart' }] },
    '/faults/0/for restart happens at an instant',
  ],
  ['shards that cannot be', { ...smallest, cluster: { shards: 6 } }, '/cluster/shards must be a'],
  ['work of no kind', { ...smallest, workload: { kinds: { busy: 0 } } }, '/workload/kinds must'],
  [
    'more than all tasks',
    { ...smallest, workload: { ordered: { percent: 60 }, bounded: { percent: 50 } } },
    '/workload/bounded/percent must be at most 40',
  ],
  [
    'a misspelt kind of schedule',
    { ...smallest, workload: { schedules: { minutely: 1 } } },
    '/workload/schedules/minutely unknown field',
  ],
  [
    'a tolerance that nobody can keep',
    { ...smallest, workload: { bounded: { tolerance: '1ms' } } },
    '/workload/bounded/tolerance must be',
  ],
  ['random without end', { name: 'a', random: {} }, '/random has no `until`'],
  [
    'a bad setting of random faults',
    { name: 'a', random: { until: '9s', percent: 300 } },
    '/random/percent must be a whole number from 1 to 100',
  ],
])('%s is told with its place', (_what, value, expected) => {
  expect(
    problems(value).some(problem => problem.startsWith(expected)),
    `${problems(value)}`,
  ).toBe(true);
});

test.each([
  [{ ordered: { percent: 100 } }, 100, 0],
  [{ ordered: { percent: 90 } }, 90, 10],
  [{ bounded: { percent: 95 } }, 5, 95],
  [{ ordered: { percent: 0 }, bounded: { percent: 100 } }, 0, 100],
])('of tasks in %j the shares that are not said fit beside those that are', (work, line, bound) => {
  expect(readScenario({ ...smallest, workload: work })).toMatchObject({
    scenario: { ordered: { percent: line }, bounded: { percent: bound } },
  });
});

test('all problems of a scenario are told at once', () => {
  const faults = [
    { at: 'soon', kind: 'kill' },
    { at: 1, kind: 'kill', target: 'random 9' },
  ];
  expect(problems({ name: 'No Name', faults })).toHaveLength(3);
});

test('the command line may change size and length, and what no longer fits is told', () => {
  const value = { name: 'a', random: { until: '9s' }, workload: { for: '10s' } };
  expect(readDocument(value, { nodes: 5, durationMs: 60_000 })).toMatchObject({
    scenario: { nodes: 5, workMs: 60_000, random: { untilMs: 60_000 } },
  });
  const aimed = { name: 'a', faults: [{ at: 1, kind: 'kill', target: 'n3' }] };
  expect(readDocument(aimed, { nodes: 2 }).ok).toBe(false);
});

describe('what ships with the program', () => {
  test.each(shipped)('%s is a scenario of that name that says what it is about', name => {
    const reading = readScenario(parse(readFileSync(`${dir}${name}.yaml`, 'utf8')));
    expect(reading).toMatchObject({ ok: true, scenario: { name } });
    if (!reading.ok) return;
    expect(reading.scenario.about).toMatch(/^[A-Z].*\.$/);
    // The work lasts as long as the faults: what is broken is used meanwhile.
    for (const fault of planFaults(reading.scenario, 1)) {
      expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(reading.scenario.workMs);
    }
  });

  test('inflicts every kind of fault somewhere', () => {
    expect(shipped.length).toBeGreaterThanOrEqual(12);
    const used = shipped.flatMap(name => {
      const reading = readScenario(parse(readFileSync(`${dir}${name}.yaml`, 'utf8')));
      return reading.ok ? planFaults(reading.scenario, 1).map(fault => fault.kind) : [];
    });
    expect(faultNames.filter(kind => !used.includes(kind))).toEqual([]);
  });
});

test('the scenarios of the guide are scenarios', () => {
  const page = readFileSync(new URL('../../../docs/guides/chaos.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(match => parse(match[1]!));
  expect(blocks).toHaveLength(2);
  expect(problems(blocks[0])).toEqual([]);
  expect(problems({ name: 'mine', ...(blocks[1] as object) })).toEqual([]);
});

test('every kind of fault has its line in the reference', () => {
  const page = readFileSync(new URL('../../../docs/reference/faults.md', import.meta.url), 'utf8');
  expect(faultNames.filter(kind => !page.includes(`| \`${kind}\` |`))).toEqual([]);
});

describe('A power cut', () => {
  const cut = { at: '1s', for: '2s', kind: 'powerCut' };

  test('hits every node, in a plan and when it is drawn', () => {
    const random = { until: '1m', kinds: ['powerCut'] };
    const reading = readScenario({ name: 'mine', faults: [cut], random });
    if (!reading.ok) throw new Error('not read');
    const plan = planFaults(reading.scenario, 1);
    expect(plan.length).toBeGreaterThan(3);
    expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(['powerCut']));
    expect(new Set(plan.map(({ target }) => target.of))).toEqual(new Set(['all']));
  });

  test('is refused for single nodes', () => {
    expect(problems({ name: 'mine', faults: [{ ...cut, target: 'n1' }] })).toEqual([
      '/faults/0/target must be `all`: powerCut hits every node at once',
    ]);
  });

  test('is refused beside faults that cannot be done in a guest', () => {
    const why = 'cannot be done in the guest that powerCut needs; give it a scenario of its own';
    const faults = [cut, { at: '9s', kind: 'kill' }];
    expect(problems({ name: 'mine', faults })).toEqual([`/faults/1/kind kill ${why}`]);
    const random = { until: '1m', kinds: ['powerCut', 'delay'] };
    expect(problems({ name: 'mine', random })).toEqual([`/random/kinds/1 delay ${why}`]);
  });
});
