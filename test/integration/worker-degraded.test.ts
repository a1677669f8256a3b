import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';
import type { TreeKind } from '../../src/worker/supervisor/process-tree.ts';
import type { StarterKind } from '../../src/worker/supervisor/starter.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld } from '../support/runner-world.ts';

/** Argument by which the processes of a test are known. */
let marks = 0;
const newMark = (): string => `800000.${process.pid}${++marks}`;

function living(mark: string): number {
  let count = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(mark)) count++;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  return count;
}

describe.each<[TreeKind, StarterKind]>([
  ['pidNamespace', 'perl'],
  ['pidNamespace', 'node'],
  ['processGroup', 'perl'],
  ['processGroup', 'node'],
])('held by nothing better than a %s, started by %s', (kind, starter) => {
  let world: ProcessWorld;
  let runner: Runner;
  let ear: Ear;

  const begin = async (): Promise<RunnerHello> => {
    world = new ProcessWorld(kind, starter);
    runner = world.runner();
    ear = new Ear();
    const hello = await runner.start(ear.events);
    runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    return hello;
  };

  afterEach(async () => {
    await runner.stop({ end: true });
    await world.close();
  });

  const launch = (text: string, changes: Partial<AttemptOrder> = {}): AttemptOrder => {
    const order = orderOf({ kind: 'command', argv: ['/bin/sh', '-c', text] }, changes);
    runner.launch(order);
    return order;
  };
  const end = async (key: AttemptKey): Promise<Outcome> => {
    await world.until('the end', () => ear.ended.has(key));
    return ear.ended.get(key)!;
  };

  test('attempts run, tell their exit code, output and what they used, and say how held', async () => {
    const { isolation } = await begin();
    expect(isolation['cgroup']).toBe('none: switched off');
    if (kind === 'processGroup') expect(isolation['isolation']).toMatch(/degraded/);
    const script = 'echo out; i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; sleep 0.4; exit 3';
    const { key } = launch(script);
    const outcome = await end(key);
    expect([outcome.kind, outcome.exitCode, outcome.tail]).toEqual(['failed', 3, 'out\n']);
    expect(outcome.userCpuMs + outcome.systemCpuMs).toBeGreaterThan(20);
    expect(outcome.peakMemoryBytes).toBeGreaterThan(100_000);
  });

  test('a cancel is obeyed with grace, then enforced on the tree', async () => {
    await begin();
    const [mark, ready] = [newMark(), newMark()];
    const polite = launch(`trap "echo bye; exit 0" TERM; sleep ${ready} & wait`, {
      graceMs: 5_000,
    });
    const away = kind === 'pidNamespace' ? 'setsid ' : '';
    const stubborn = launch(`trap "" TERM; ${away}sleep ${mark} & sleep ${mark}; sleep ${mark}`);
    await world.until('the processes', () => living(mark) === 2 && living(ready) === 1);
    for (const { key } of [polite, stubborn]) runner.end(key, 'cancelled');
    expect((await end(polite.key)).tail).toBe('bye\n');
    expect((await end(stubborn.key)).kind).toBe('cancelled');
    expect(living(mark)).toBe(0);
  });

  test('a kill -9 of the supervisor ends the attempts while there is no node', async () => {
    await begin();
    const mark = newMark();
    const { key } = launch(`sleep ${mark} & sleep ${mark}`);
    await world.until('the processes', () => living(mark) === 2);
    await world.crashNode(runner);
    world.killSupervisor();
    await world.until('their end', () => living(mark) === 0);
    runner = world.runner();
    const { found } = await runner.start(new Ear().events);
    expect(found.map(attempt => [attempt.key, attempt.outcome?.kind])).toEqual([[key, 'lost']]);
  });

  test('a new supervisor finds what left its process group and ends it', async () => {
    await begin();
    const mark = newMark();
    launch(`setsid sleep ${mark} & sleep ${mark}`);
    await world.until('the processes', () => living(mark) === 2);
    world.killSupervisor();
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    expect(living(mark)).toBe(0);
  });
});
