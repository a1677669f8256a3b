/**
 * Workflows as people meet them, on a cluster of real processes: a diamond whose tasks hand things
 * on, a branch for failures, tasks behind others in other shards, and a second try.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withCluster } from '../support/real-cluster.ts';

const timeout = 240_000;

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly retryOf?: string;
  readonly tasks: readonly {
    readonly id: string;
    readonly name: string;
    readonly state: string;
    readonly skipped?: boolean;
    readonly reason?: string;
    readonly keptFrom?: string;
    readonly startedAtMs?: number;
    readonly endedAtMs?: number;
  }[];
}

const diamond = `
workflow: diamond
tasks:
  - name: join
    after: [left, right]
    command: cat $TSCHED_INPUTS/left $TSCHED_INPUTS/right
  - name: left
    after: [top]
    command: sed s/top/left/ $TSCHED_INPUTS/top > $TSCHED_OUTPUT
  - name: right
    after: [top]
    command: sed s/top/right/ $TSCHED_INPUTS/top > $TSCHED_OUTPUT
  - name: top
    command: echo from the top > $TSCHED_OUTPUT
`;

const branching = (marker: string): string => `
workflow: branching
tasks:
  - name: first
    command: [echo, once]
  - name: second
    after: [first]
    command: test -e ${marker}
  - name: third
    after: [second]
    command: [echo, late]
  - name: handler
    after: [second]
    when: failure
    command: [echo, handled]
  - name: last
    after: [third, handler]
    when: always
    command: [echo, always]
`;

const turning = `
tasks:
  - { name: a, after: [c], command: [echo] }
  - { name: b, after: [a], command: [echo] }
  - { name: c, after: [b], command: [echo] }
`;

test('workflows, dependencies over shards, and a second try', { timeout }, () =>
  withCluster({ nodes: 3, shards: 8 }, async cluster => {
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(cluster.dir, name), text);
      return name;
    };
    const statesOf = (shown: Shown): Record<string, string> =>
      Object.fromEntries(
        shown.tasks.map(task => [task.name, task.skipped ? 'skipped' : task.state]),
      );

    const made = await cluster.run(
      ['submit', '-f', await file('diamond.yaml', diamond), '--wait', '--json'],
      cluster.any,
    );
    expect(made.code, made.stderr + made.stdout).toBe(0);
    const shown = JSON.parse(made.stdout) as Shown;
    expect(shown.state).toBe('succeeded');
    expect(shown.tasks.map(({ name }) => name)[0]).toBe('top');
    const joined = shown.tasks.find(({ name }) => name === 'join')!;
    expect(await cluster.ok(['logs', joined.id])).toBe('from the left\nfrom the right');
    const drawn = await cluster.ok(['status', shown.id.slice(-8)]);
    expect(drawn).toMatch(/├─✓ (left|right)/);
    expect(drawn).toMatch(/└─✓ (left|right)/);
    expect(drawn).toContain('✓ join');
    expect(drawn).toMatch(/also after (left|right)/);

    const wrong = await cluster.run(
      ['submit', '-f', await file('turning.yaml', turning)],
      cluster.any,
    );
    expect(wrong.code).toBe(2);
    const drawnCycle = wrong.stderr.replaceAll(/ \(\S*turning\.yaml:\d+\)/g, '');
    expect(drawnCycle).toMatch(/a → b → c → a|b → c → a → b|c → a → b → c/);

    const split = ['c', 'a', 'b'].map((before, at) => {
      const name = 'abc'[at]!;
      return file(
        `${name}.yaml`,
        `tasks:\n  - name: ${name}\n    after: [${before}]\n    command: 'true'\n`,
      );
    });
    const parts = (await Promise.all(split)).flatMap(path => ['-f', path]);
    const through = await cluster.run(['submit', ...parts], cluster.any);
    expect(through.code).toBe(2);
    const told = through.stderr.replaceAll(`${cluster.dir}/`, '');
    for (const name of ['a', 'b', 'c']) expect(told).toContain(`${name} (${name}.yaml:3)`);
    await file('a.yaml', "tasks:\n  - { name: a, command: 'true' }\n");
    const planned = JSON.parse(await cluster.ok(['plan', '--json', ...parts]));
    expect(planned).toMatchObject({ verdict: 'starts', total: 3, stageCount: 3 });
    expect(planned.plans[1]).toMatchObject({ name: 'b', stage: 2, reason: 'Dependency' });
    const whole = await cluster.ok(['submit', '-q', '--wait', ...parts]);
    expect(await cluster.get(`/v1/workflows/${whole}`)).toMatchObject({
      state: 'succeeded',
      total: 3,
    });

    const marker = join(cluster.dir, 'marker');
    const branch = ['submit', '-q', '-f', await file('branching.yaml', branching(marker))];
    const failed = await cluster.ok(branch);
    const waited = await cluster.run(['wait', failed], cluster.any);
    expect(waited.code, waited.stderr).toBe(3);
    const first = JSON.parse(await cluster.ok(['status', failed, '--json'])) as Shown;
    expect(statesOf(first)).toEqual({
      first: 'succeeded',
      second: 'failed',
      third: 'aborted',
      handler: 'succeeded',
      last: 'succeeded',
    });
    await writeFile(marker, '');
    const again = await cluster.ok(['retry', failed, '--from', 'failed', '-q']);
    expect((await cluster.run(['wait', again], cluster.any)).code).toBe(0);
    const second = JSON.parse(await cluster.ok(['status', again, '--json'])) as Shown;
    expect(second.retryOf).toBe(failed);
    expect(statesOf(second)).toEqual({
      first: 'succeeded',
      second: 'succeeded',
      third: 'succeeded',
      handler: 'skipped',
      last: 'succeeded',
    });
    const kept = second.tasks.filter(({ keptFrom }) => keptFrom !== undefined);
    expect(kept.map(({ name }) => name)).toEqual(['first']);

    // Behind tasks of whatever shard, that run, that settled, and that never were.
    const slow = await cluster.ok([
      'submit',
      '-q',
      '--',
      'sh',
      '-c',
      'sleep 1; echo hi > $TSCHED_OUTPUT',
    ]);
    const others: string[] = [];
    for (let count = 0; count < 4; count++) {
      const script = 'cat $TSCHED_INPUTS/*';
      others.push(await cluster.ok(['submit', '-q', '--after', slow, '--', 'sh', '-c', script]));
    }
    const shards = new Set<number>();
    for (const id of others) {
      const task = await cluster.untilSettled(id);
      expect(task.state, task.reason).toBe('succeeded');
      expect(task.outcome?.tail).toBe('hi\n');
      shards.add(task.shard);
    }
    expect(shards.size).toBeGreaterThan(1);
    const late = await cluster.ok(['submit', '-q', '--after', slow, '--', 'true']);
    expect((await cluster.untilSettled(late)).state).toBe('succeeded');
    const bad = await cluster.ok(['submit', '-q', '--', 'false']);
    const follows = await cluster.ok(['submit', '-q', '--after', bad, '--', 'true']);
    const aborted = await cluster.untilSettled(follows);
    expect([aborted.state, aborted.reason]).toEqual(['aborted', expect.stringContaining(bad)]);
    const nobody = `${slow.slice(0, -4)}zzzz`;
    const lost = await cluster.ok(['submit', '-q', '--after', nobody, '--', 'true']);
    expect((await cluster.untilSettled(lost)).reason).toContain('parentUnknown');

    const long = `tasks: [{ name: a, command: [sleep, '60'] }, { name: b, after: [a], command: [echo] }]`;
    const cancelled = await cluster.ok(['submit', '-q', '-f', await file('long.yaml', long)]);
    await cluster.ok(['cancel', cancelled]);
    expect((await cluster.run(['wait', cancelled], cluster.any)).code).toBe(4);
  }),
);
