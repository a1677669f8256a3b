/** A supervisor that takes its time to come up, or never does. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createProcessRunner } from '../../src/worker/process-runner.ts';
import { endSupervisor } from '../../src/worker/supervisor-process.ts';
import { Ear } from '../conformance/runner.ts';
import { realClock } from '../support/runner-world.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-runner-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await endSupervisor(dir, realClock);
  rmSync(dir, { recursive: true, force: true });
});

/** Puts a program in front of one with which a supervisor is started, or starts attempts. */
function putBefore(name: 'unshare' | 'perl', script: string): void {
  const found = join(dir, name);
  const path = process.env['PATH']!;
  writeFileSync(found, `#!/bin/sh\n${script}\nPATH='${path}' exec ${name} "$@"\n`);
  chmodSync(found, 0o755);
  vi.stubEnv('PATH', `${dir}:${path}`);
}

const runnerWith = (clock: Clock) =>
  createProcessRunner({ dataDir: dir, clock, log: silentLog, nodeName: 'test' });

test('a machine on which a supervisor needs more than 15 s gets one', async () => {
  putBefore('unshare', 'case "$*" in *tsched-init*) sleep 2;; esac');
  // Ten times as fast a clock makes that 20 s.
  const runner = runnerWith({ ...realClock, nowMs: () => 10 * performance.now() });
  const hello = await runner.start(new Ear().events);
  expect(hello.incarnation).not.toBe('');
  await runner.stop({ end: true });
});

test('a supervisor that ends while it starts is not waited for', async () => {
  putBefore('unshare', 'case "$*" in *tsched-init*) exit 3;; esac');
  const beganMs = performance.now();
  const runner = runnerWith(realClock);
  await expect(runner.start(new Ear().events)).rejects.toThrow('no supervisor');
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  await runner.stop({ end: true });
});

test('a machine that needs six seconds to start Perl is not one without', async () => {
  putBefore('perl', 'sleep 6');
  const runner = runnerWith(realClock);
  const { isolation } = await runner.start(new Ear().events);
  expect(isolation['starter']).toBe('perl');
  await runner.stop({ end: true });
});
