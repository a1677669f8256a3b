/** What is said of a task that somebody keeps from going on. */
import { expect, test } from 'vitest';
import type { PlacementPause, WaitingReason } from '../../../src/model/task.ts';
import { explainTask } from '../../../src/node/explain-task.ts';
import { aSpec, epochMs, idOf, TestShard } from '../../support/shard.ts';

const id = idOf(1);

function explain(
  shard: TestShard,
  about: { reason?: WaitingReason; tenantPaused?: PlacementPause } = {},
) {
  return explainTask({
    record: shard.machine.record(id)!,
    spec: aSpec(),
    reason: about.reason,
    views: [],
    nowMs: 0,
    wallMs: epochMs + shard.atMs,
    place: undefined,
    ahead: undefined,
    nodeOf: node => node,
    tenantPaused: about.tenantPaused,
    events: shard.machine.eventsOf(id),
    lately: undefined,
  });
}

const pause = (shard: TestShard, parts: { suspend: boolean; reason: string }) =>
  shard.apply({ kind: 'pause', items: [{ taskId: id }], ...parts });

const ofTenant = { tenant: 'default', by: 'ann', atMs: epochMs, reason: 'budget', suspend: false };

test('a paused task says who paused it and why, in one sentence and in its history', () => {
  const shard = new TestShard();
  shard.submit([id]);
  pause(shard, { suspend: false, reason: 'the disk' });
  const { by } = shard.machine.record(id)!.pause!;
  const { message, decisions } = explain(shard, { reason: 'Paused' });
  expect(message).toBe(`paused by ${by}: the disk; \`tsched resume ${id}\` lets it go on`);
  expect(decisions.at(-1)?.sentence).toBe(`paused by ${by}: the disk`);
});

test('a task of a paused tenant, or cluster, says which of them', () => {
  const shard = new TestShard();
  shard.submit([id]);
  const said = (tenantPaused: PlacementPause): string =>
    explain(shard, { reason: 'Paused', tenantPaused }).message;
  expect(said(ofTenant)).toBe(
    'tenant default was paused by ann: budget; `tsched resume tenant default` lets it go on',
  );
  expect(said({ ...ofTenant, tenant: '*', reason: '' })).toBe(
    'the whole cluster was paused by ann; `tsched resume cluster` lets it go on',
  );
});

test('an attempt that stands still says by whose word', () => {
  const shard = new TestShard();
  shard.submit([id]);
  shard.assign(id, 'n1');
  const { fence } = shard.machine.record(id)!;
  shard.start(id, fence);
  pause(shard, { suspend: true, reason: '' });
  shard.apply({ kind: 'suspended', items: [{ taskId: id, fence, suspended: true }] });
  const { by } = shard.machine.record(id)!.pause!;
  expect(explain(shard).message).toMatch(/stands still on node n1: suspended by /);
  expect(explain(shard).decisions.at(-1)?.sentence).toBe(`suspended by ${by}`);
  shard.apply({ kind: 'resume', items: [{ taskId: id }] });
  const tenantPaused = { ...ofTenant, suspend: true };
  expect(explain(shard, { tenantPaused }).message).toContain(
    'tenant default was suspended by ann: budget; `tsched resume tenant default`',
  );
});
