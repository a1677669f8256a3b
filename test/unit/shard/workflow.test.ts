/** Workflows and dependencies in one shard: who runs, who is aborted, and what is kept of it. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/model/attempt.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import { type WorkflowItem, workflowTaskId } from '../../../src/model/workflow.ts';
import type { Applied } from '../../../src/shard/effects.ts';
import { anOutcome, aSpec, epochMs, specEntry, TestShard } from '../../support/shard.ts';

const workflowId = formatTaskId({ atMs: epochMs, slot: 7, random: 1_000 });

interface Node {
  readonly parents?: readonly number[];
  readonly spec?: Partial<TaskSpec>;
  readonly kept?: { readonly taskId: TaskId; readonly outcome: Outcome };
}

class World {
  readonly shard = new TestShard();
  readonly nodes: readonly Node[];

  constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
  }

  id(index: number): TaskId {
    return workflowTaskId(workflowId, index);
  }

  submit(from = 0, to = this.nodes.length, marks = 'one'): Applied {
    const part = this.nodes.slice(from, to);
    const items = part.map(
      ({ parents = [], kept }, place): WorkflowItem => ({
        spec: place,
        name: `t${from + place}`,
        parents,
        kept,
      }),
    );
    return this.shard.apply({
      kind: 'submitWorkflow',
      workflow: {
        id: workflowId,
        tenant: 'default',
        owner: 'ann',
        name: 'nightly',
        total: this.nodes.length,
        digest: new Uint8Array(createHash('sha256').update(marks).digest().subarray(0, 16)),
      },
      from,
      specs: part.map(({ spec }, place) => specEntry(aSpec({ name: `t${from + place}`, ...spec }))),
      items,
    });
  }

  get ready(): number {
    return this.shard.machine.readyCount(epochMs + 1_000_000);
  }

  run(index: number, outcome: Outcome['kind'] | Outcome = 'succeeded'): Applied {
    return this.shard.runOnce(this.id(index), outcome);
  }

  state(index: number): string | undefined {
    const record = this.shard.machine.record(this.id(index));
    return record && (record.cause ? `${record.state} ${record.cause.kind}` : record.state);
  }

  states(): (string | undefined)[] {
    return this.nodes.map((_, index) => this.state(index));
  }

  get workflow() {
    return this.shard.machine.links.workflow(workflowId);
  }
}

const diamond: Node[] = [{}, { parents: [0] }, { parents: [0] }, { parents: [1, 2] }];

describe('a workflow', () => {
  test('runs its tasks in the order of its graph, in parallel where possible', () => {
    const world = new World(diamond);
    expect(world.submit().replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(world.ready).toBe(1);
    world.run(0);
    expect(world.ready).toBe(2);
    world.run(1);
    expect(world.ready).toBe(1);
    world.run(2);
    const { effects } = world.run(3);
    expect(effects).toContainEqual({ kind: 'workflowSettled', workflowId });
    expect(world.workflow).toMatchObject({ state: 'succeeded', settledAtMs: epochMs });
  });

  test('does not begin before all its tasks are there, and a repeated part makes none', () => {
    const world = new World(diamond);
    world.submit(0, 2);
    expect(world.ready).toBe(0);
    expect(world.submit(3, 4).replies).toMatchObject([{ code: 'badRequest' }]);
    expect(world.submit(0, 2).replies).toMatchObject([{ repeated: true }]);
    expect(world.submit(1, 4).replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(world.ready).toBe(1);
    expect(world.submit(0, 2).replies).toMatchObject([{ repeated: true }]);
    expect(world.submit(0, 2, 'other').replies).toMatchObject([{ code: 'idTaken' }]);
    expect(world.shard.machine.counts().waiting).toBe(4);
  });

  test('aborts what follows a failed task, with the reason', () => {
    const world = new World(diamond);
    world.submit();
    world.run(0);
    world.run(1, 'failed');
    expect(world.states()).toEqual(['succeeded', 'failed', 'waiting', 'aborted parentFailed']);
    expect(world.shard.machine.record(world.id(3))?.reason).toContain(world.id(1));
    world.run(2);
    expect(world.workflow?.state).toBe('failed');
  });

  test('runs a task for a failure, and skips it, and what follows, where there is none', () => {
    const nodes: Node[] = [
      {},
      { parents: [0], spec: { when: 'failure' } },
      { parents: [1] },
      { parents: [0, 1, 2], spec: { when: 'always' } },
    ];
    const good = new World(nodes);
    good.submit();
    good.run(0);
    expect(good.states()).toEqual([
      'succeeded',
      'aborted notNeeded',
      'aborted notNeeded',
      'waiting',
    ]);
    good.run(3);
    expect(good.workflow?.state).toBe('succeeded');
    const bad = new World(nodes);
    bad.submit();
    bad.run(0, 'failed');
    expect(bad.ready).toBe(1);
    bad.run(1);
    bad.run(2);
    bad.run(3);
    expect(bad.workflow?.state).toBe('failed');
  });

  test('cancelled as a whole starts nothing any more, handlers of failures included', () => {
    const world = new World([
      {},
      { parents: [0], spec: { when: 'always' } },
      { parents: [1], spec: { when: 'failure' } },
    ]);
    world.submit();
    const fence = (world.shard.assign(world.id(0)).replies[0] as { fence: number }).fence;
    const items = [{ id: workflowId }];
    const cancel = () => world.shard.apply({ kind: 'cancelWorkflow', items, reason: 'no' });
    expect(cancel().replies).toMatchObject([{ ok: true, repeated: false }]);
    expect(cancel().replies).toMatchObject([{ ok: true, repeated: true }]);
    expect(world.states()).toEqual(['assigned', 'cancelled', 'cancelled']);
    world.shard.finish(world.id(0), fence, 'cancelled');
    expect(world.workflow?.state).toBe('cancelled');
    expect(cancel().replies).toMatchObject([{ code: 'alreadySettled' }]);
  });

  test('cancelled while it arrives takes no more', () => {
    const world = new World(diamond);
    world.submit(0, 2);
    const items = [{ id: workflowId }];
    world.shard.apply({ kind: 'cancelWorkflow', items, reason: 'no' });
    expect(world.workflow?.state).toBe('cancelled');
    expect(world.submit(2, 4).replies).toMatchObject([{ code: 'alreadySettled' }]);
  });

  test('keeps the outcomes that hold of the one that it repeats', () => {
    const outcome = anOutcome('succeeded', { output: 'forty-two' });
    const kept = { taskId: formatTaskId({ atMs: epochMs, slot: 7, random: 5 }), outcome };
    const world = new World([{ kept }, { parents: [0] }, { parents: [0, 1] }]);
    world.submit(0, 1);
    world.submit(1, 3);
    expect(world.states()).toEqual(['succeeded', 'waiting', 'waiting']);
    expect(world.ready).toBe(1);
    expect(world.shard.machine.links.inputSources(world.id(1))?.parents).toEqual([
      { index: 0, id: world.id(0) },
    ]);
    world.run(1);
    world.run(2);
    expect(world.workflow?.state).toBe('succeeded');
  });

  test('refuses a parent that does not stand before, keys of tasks, and IDs in use', () => {
    const code = (nodes: Node[]) => new World(nodes).submit().replies[0];
    expect(code([{ parents: [0] }])).toMatchObject({ code: 'badSpec' });
    expect(code([{}, { parents: [0, 0] }])).toMatchObject({ code: 'badSpec' });
    expect(code([{ spec: { idempotencyKey: 'k' } }])).toMatchObject({ code: 'badSpec' });
    const world = new World([{}]);
    world.shard.submit([world.id(0)]);
    expect(world.submit().replies).toMatchObject([{ code: 'idTaken' }]);
  });

  test('is the same after a restart at any point, from rows and log', () => {
    for (let stored = 0; stored < 9; stored++) {
      const world = new World(diamond);
      const steps = [
        () => world.submit(0, 2),
        () => world.submit(2, 4),
        () => world.run(0),
        () => world.run(2),
        () => world.run(1),
        () => world.run(3),
      ];
      steps.forEach((step, place) => {
        step();
        if (place === stored) world.shard.flush();
        const restarted = world.shard.restarted();
        expect(restarted.digest()).toBe(world.shard.machine.digest());
        expect(restarted.links.workflow(workflowId)).toEqual(world.workflow);
      });
    }
  });

  test('stays in the history while it runs, and leaves with the last of its tasks', () => {
    const world = new World([{}, { parents: [0] }]);
    world.submit();
    world.run(0);
    const expire = (index: number) => {
      const taskId = world.id(index);
      const { digest } = specEntry(aSpec({ name: `t${index}` }));
      return world.shard.apply({
        kind: 'expire',
        items: [{ taskId, state: 'succeeded', digest, keyHash: undefined }],
      }).replies;
    };
    world.shard.flush();
    world.shard.atMs = 50_000;
    expect(world.shard.machine.links.mayExpire(world.id(0))).toBe(false);
    expect(expire(0)).toMatchObject([{ code: 'notSettled' }]);
    world.run(1);
    expect(world.shard.machine.links.mayExpire(world.id(0))).toBe(true);
    expect(expire(0)).toMatchObject([{ ok: true }]);
    expect(world.workflow?.left).toBe(1);
    expect(expire(1)).toMatchObject([{ ok: true }]);
    expect(world.workflow).toBeUndefined();
    world.shard.flush();
    const kinds = world.shard.rows().map(([key]) => key[0]);
    expect(kinds.filter(kind => kind === 2 || kind === 6 || kind === 7)).toEqual([]);
  });

  test('of ten thousand tasks in a row fails in one command', () => {
    const world = new World(
      Array.from({ length: 10_000 }, (_, index) => ({ parents: index === 0 ? [] : [index - 1] })),
    );
    for (let from = 0; from < 10_000; from += 1_000) world.submit(from, from + 1_000);
    world.run(0, 'failed');
    expect(world.workflow?.state).toBe('failed');
    expect(world.shard.machine.counts()).toMatchObject({ failed: 1, aborted: 9_999, waiting: 0 });
  });
});
