/** The supervisor in this process, with a starter that only takes note: which orders it starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TaskId } from '../../../src/model/ids.ts';
import { bootMs } from '../../../src/worker/supervisor/boot-clock.ts';
import { Limiter } from '../../../src/worker/supervisor/limiter.ts';
import type { FromSupervisor, WireOrder } from '../../../src/worker/supervisor/protocol.ts';
import type { Starter } from '../../../src/worker/supervisor/starter.ts';
import { Supervisor } from '../../../src/worker/supervisor/supervisor.ts';
import { until } from '../../support/until.ts';

const nothing = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0, iops: 0, bandwidth: 0, ports: 0 };
const leaseMs = 5_000;
/** Of an order without a grace: 0.9 of the lease. */
const liveMs = 4_500;

const order = (fence: number): WireOrder => ({
  key: `00000000000000000000.${fence}`,
  shard: 1,
  taskId: '00000000000000000000' as TaskId,
  fence,
  attemptRun: 1,
  run: { kind: 'command', argv: ['/bin/true'] },
  env: {},
  cwd: '/',
  limit: nothing,
  request: nothing,
  ports: [],
  capMs: 0,
  graceMs: 0,
  leaseMs,
  outputBytesMax: 1_000,
});

let dataDir = '';
let started: string[] = [];
let said: FromSupervisor[] = [];
let supervisor: Supervisor;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tsched-supervisor-'));
  started = [];
  said = [];
  const starter: Starter = {
    words: 'none',
    pid: process.pid,
    start: (request, events) => {
      started.push(request.stdout);
      setImmediate(() => events.ended({ code: 0, signal: undefined }));
    },
  };
  const tree = { kind: 'processGroup', pool: undefined, exactShell: true } as const;
  supervisor = new Supervisor({
    dataDir,
    isolation: {
      tree: { ...tree, unshare: { file: '', args: [] } },
      limiter: new Limiter([]),
      words: {},
      labels: [],
    },
    starter,
    inherited: [],
    guard: undefined,
    onFault: error => {
      throw error;
    },
  });
  supervisor.connect(message => said.push(message));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const outcomes = (): Record<string, string> =>
  Object.fromEntries(
    said.flatMap(one => (one.kind === 'ended' ? [[one.key.slice(21), one.outcome.kind]] : [])),
  );

test('an order whose lease ended before its turn stays lost, whatever is renewed then', async () => {
  // The rest of its lease is over before the turn that would start it.
  supervisor.receive({ kind: 'renew', shards: [{ shard: 1, sentBootMs: bootMs() - liveMs + 30 }] });
  supervisor.receive({ kind: 'launch', order: order(1) });
  const endMs = bootMs() + 60;
  while (bootMs() < endMs);
  supervisor.receive({ kind: 'renew', shards: [{ shard: 1, sentBootMs: bootMs() }] });
  supervisor.receive({ kind: 'launch', order: order(2) });
  await until('both have ended', () => Object.keys(outcomes()).length === 2);
  expect(outcomes()).toEqual({ 1: 'lost', 2: 'succeeded' });
  expect(started).toHaveLength(1);
});

test('an order that waits for its turn is renewed with the rest', async () => {
  supervisor.receive({
    kind: 'renew',
    shards: [{ shard: 1, sentBootMs: bootMs() - liveMs + 500 }],
  });
  supervisor.receive({ kind: 'launch', order: order(1) });
  supervisor.receive({ kind: 'renew', shards: [{ shard: 1, sentBootMs: bootMs() }] });
  const endMs = bootMs() + 550;
  while (bootMs() < endMs);
  await until('it has ended', () => Object.keys(outcomes()).length === 1);
  expect(outcomes()).toEqual({ 1: 'succeeded' });
});
