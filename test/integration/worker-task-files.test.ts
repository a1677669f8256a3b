/**
 * What tasks do to their own files must not hurt anybody else: one real supervisor for all of it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/attempt.ts';
import type { Run } from '../../src/model/spec.ts';
import type { AttemptKey, AttemptOrder, Runner, RunnerHello } from '../../src/ports/runner.ts';
import { Ear, orderOf } from '../conformance/runner.ts';
import { ProcessWorld } from '../support/runner-world.ts';

let world: ProcessWorld;
let runner: Runner;
let ear: Ear;

beforeAll(async () => {
  world = new ProcessWorld();
  runner = world.runner();
  ear = new Ear();
  await runner.start(ear.events);
  runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
});

afterAll(async () => {
  await runner.stop({ end: true });
  await world.close();
});

async function run(order: AttemptOrder): Promise<Outcome> {
  runner.launch(order);
  await world.until(`the end of ${order.key}`, () => ear.ended.has(order.key));
  return ear.ended.get(order.key)!;
}

const shell = (text: string): Run => ({ kind: 'command', argv: ['/bin/sh', '-c', text] });
const attempts = (): string => join(world.dataDir, 'attempts');
const outputOf = (key: AttemptKey) => runner.output(key, 'stdout', 0, 1_000);

describe('a task that', () => {
  test('puts a directory in place of its output ends nobody else with it', async () => {
    const order = orderOf(shell('rm ../stdout && mkdir ../stdout && exit 4'));
    const outcome = await run(order);
    expect([outcome.kind, outcome.exitCode]).toEqual(['failed', 4]);
    expect(await outputOf(order.key)).toBeUndefined();
    expect(ear.supervisors).toEqual([]);
  });

  test('puts a pipe in place of its output keeps no reader waiting', async () => {
    const order = orderOf(shell('rm ../stdout && mkfifo ../stdout'));
    expect((await run(order)).kind).toBe('succeeded');
    expect(await outputOf(order.key)).toBeUndefined();
  });

  test('links its output elsewhere shows and cuts nothing of what is there', async () => {
    const secret = join(world.dataDir, 'secret');
    writeFileSync(secret, 'a secret of some length');
    const order = orderOf(shell(`ln -sf ${secret} ../stdout`), { outputBytesMax: 5 });
    const outcome = await run(order);
    expect([outcome.kind, outcome.tail]).toEqual(['succeeded', '']);
    expect(await outputOf(order.key)).toBeUndefined();
    expect(readFileSync(secret, 'utf8')).toBe('a secret of some length');
  });

  test('puts a link in place of its directory loses the link, not what it points to', async () => {
    const precious = join(world.dataDir, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'x');
    const order = orderOf(shell(`cd .. && rmdir work && ln -s ${precious} work`));
    expect((await run(order)).kind).toBe('succeeded');
    const work = join(attempts(), order.key, 'work');
    await world.until('the link is gone', () => !existsSync(work));
    expect(existsSync(join(precious, 'file'))).toBe(true);
  });

  test('removes all of its directory ends as it ended', async () => {
    const outcome = await run(orderOf(shell('rm -rf "$(cd .. && pwd)"; exit 3')));
    expect([outcome.kind, outcome.exitCode]).toEqual(['failed', 3]);
  });

  test('hands on no more than 64 KiB, whatever the bytes are', async () => {
    const handing = (count: number): Promise<Outcome> => {
      const text = `head -c ${count} /dev/zero | tr '\\0' '\\377' > "$TSCHED_OUTPUT"`;
      return run(orderOf(shell(text), { handsOn: true }));
    };
    const most = await handing(65_536);
    expect([most.kind, most.output?.length]).toEqual(['succeeded', 65_536]);
    const more = await handing(65_537);
    expect([more.kind, more.output]).toEqual(['outputTooLarge', undefined]);
    expect(more.message).toBe('its TSCHED_OUTPUT file holds more than 65536 bytes');
  });

  test('has Windows line ends in its first line is told so', async () => {
    const bytes = new TextEncoder().encode('#!/bin/sh\r\nexit 0\r\n');
    const outcome = await run(orderOf({ kind: 'script', name: 'job.sh', bytes, args: [] }));
    expect(outcome.kind).toBe('startFailed');
    expect(outcome.message).toContain('CR LF');
  });

  test('writes nothing keeps no directory, and its output is empty, also later', async () => {
    const order = orderOf({ kind: 'command', argv: ['/no/such/program'] });
    const silent = orderOf(shell('exit 0'));
    const loud = orderOf(shell('echo loud'));
    expect((await run(order)).kind).toBe('startFailed');
    expect((await run(silent)).kind).toBe('succeeded');
    expect((await run(loud)).tail).toBe('loud\n');
    const kept = new Set(readdirSync(attempts()));
    expect([order, silent, loud].map(({ key }) => kept.has(key))).toEqual([false, false, true]);
    world.killSupervisor();
    await world.until('another supervisor', () => ear.supervisors.length > 0);
    runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    for (const { key } of [order, silent]) {
      const chunk = await outputOf(key);
      expect([chunk?.size, chunk?.ended]).toEqual([0, true]);
    }
    expect((await outputOf(loud.key))?.size).toBe(5);
    expect(await outputOf('00000000000000000000.9')).toBeUndefined();
  });

  test('follows one without output in its files finds nothing of it there', async () => {
    const first = orderOf(shell('exit 0'));
    await run(first);
    const second = orderOf(shell('ls -A . ..; wc -c <../stdout; echo second'));
    expect((await run(second)).exitCode).toBe(0);
    expect((await outputOf(first.key))?.size).toBe(0);
    const text = new TextDecoder().decode((await outputOf(second.key))?.bytes);
    expect(text).toBe('.:\n\n..:\nstderr\nstdout\nwork\n27\nsecond\n');
  });

  test('is started has its files for its owner only', async () => {
    const order = orderOf(shell('stat -c %a .. . ../stdout'));
    const { tail } = await run(order);
    expect(tail.trim().split('\n')).toEqual(['700', '700', '600']);
  });
});

describe('a node that comes back', () => {
  test('hears of outcomes larger than any frame', async () => {
    const text = `head -c 4096 /dev/zero | tr '\\0' '\\1'`;
    const orders = Array.from({ length: 200 }, () => orderOf(shell(text)));
    for (const order of orders) runner.launch(order);
    await world.until('all ends', () => orders.every(order => ear.ended.has(order.key)));
    await world.crashNode(runner);
    runner = world.runner();
    ear = new Ear();
    const hello = await runner.start(ear.events);
    const found = new Set(hello.found.map(attempt => attempt.key));
    expect(orders.every(order => found.has(order.key))).toBe(true);
  });

  test('finds every attempt whose end it has not heard, whenever it comes', async () => {
    runner.renew([{ shard: 1, sentBootMs: world.bootMs() }]);
    for (let round = 0; round < 5; round++) {
      const orders = Array.from({ length: 30 }, () => orderOf(shell('exit 0')));
      for (const order of orders) runner.launch(order);
      await world.until('some ends', () => ear.ended.size > 0);
      await world.crashNode(runner);
      runner = world.runner();
      const before = ear.ended;
      ear = new Ear();
      const hello: RunnerHello = await runner.start(ear.events);
      const early = new Set([...ear.ended.keys(), ...before.keys()]);
      const found = new Set(hello.found.map(attempt => attempt.key));
      expect(orders.filter(({ key }) => !found.has(key) && !early.has(key))).toEqual([]);
      expect(ear.ended.size).toBe(0);
      const running = hello.found.filter(attempt => attempt.outcome === undefined);
      await world.until('their ends', () => running.every(({ key }) => ear.ended.has(key)));
    }
  });
});
