/** Dependencies by ID: what two shards tell each other, however often and late it arrives. */
import { describe, expect, test } from 'vitest';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import type { Delivery, SettledEnd } from '../../../src/model/message.ts';
import type { TaskSpec } from '../../../src/model/spec.ts';
import type { Applied } from '../../../src/shard/effects.ts';
import { anOutcome, aSpec, epochMs, TestShard } from '../../support/shard.ts';

const here = (n: number): TaskId => formatTaskId({ atMs: epochMs + n, slot: 1, random: n });
const there = (n: number): TaskId => formatTaskId({ atMs: epochMs + n, slot: 2, random: n });

/** Children live in shard 1, their parents in shard 2. */
class World {
  readonly children = new TestShard();
  readonly parents = new TestShard();

  submit(child: TaskId, after: readonly TaskId[], spec: Partial<TaskSpec> = {}): Applied {
    return this.children.submit([child], aSpec({ after, ...spec }));
  }

  letters(from: TestShard, settled?: SettledEnd): Delivery[] {
    return [...from.machine.links.outbox()].map(({ sequence, message }) => ({
      sequence,
      message,
      settled: message.kind === 'await' ? settled : undefined,
    }));
  }

  deliver(from: TestShard, settled?: SettledEnd, letters = this.letters(from, settled)): Applied {
    const to = from === this.children ? this.parents : this.children;
    return to.apply({
      kind: 'deliver',
      source: from === this.children ? 1 : 2,
      items: letters,
    });
  }

  acknowledge(from: TestShard): void {
    const items = [...from.machine.links.outbox()].map(({ sequence }) => ({ sequence }));
    from.apply({ kind: 'acknowledge', items });
  }

  exchange(settled?: SettledEnd): void {
    for (const from of [this.children, this.parents]) {
      this.deliver(from, settled);
      this.acknowledge(from);
    }
  }

  record(child: TaskId) {
    return this.children.machine.record(child);
  }

  get ready(): number {
    return this.children.machine.readyCount(epochMs + 1_000_000);
  }
}

describe('a task that waits for one elsewhere', () => {
  test('runs once that succeeded, and is given what it handed on', () => {
    const world = new World();
    world.parents.submit([there(1)]);
    expect(world.submit(here(2), [there(1)]).effects).toContainEqual({ kind: 'messagesChanged' });
    expect(world.ready).toBe(0);
    world.exchange();
    expect(world.ready).toBe(0);
    world.parents.runOnce(there(1), anOutcome('succeeded', { output: 'ä' }));
    world.exchange();
    expect(world.ready).toBe(1);
    expect(world.children.machine.links.inputSources(here(2))).toMatchObject({
      inputs: [{ name: there(1), text: 'ä' }],
    });
    expect(world.children.machine.links.messages).toBe(0);
    expect(world.parents.machine.links.messages).toBe(0);
  });

  test('is told at once of one that has settled, as its row says', () => {
    const world = new World();
    world.parents.submit([there(1)]);
    world.parents.runOnce(there(1), 'failed');
    world.parents.flush();
    world.submit(here(2), [there(1)]);
    expect(world.deliver(world.children).replies).toMatchObject([{ code: 'alreadySettled' }]);
    expect(world.parents.machine.links.messages).toBe(0);
    world.exchange({ end: 'failed' });
    expect(world.record(here(2))).toMatchObject({
      state: 'aborted',
      cause: { kind: 'parentFailed', parent: there(1) },
    });
  });

  test('is aborted with parentUnknown where nobody knows the other', () => {
    const world = new World();
    world.submit(here(2), [there(1)], { when: 'always' });
    world.exchange();
    expect(world.record(here(2))).toMatchObject({
      state: 'aborted',
      cause: { kind: 'parentUnknown' },
    });
    expect(world.record(here(2))?.reason).toContain('parentUnknown');
  });

  test('waits for all, and for a failure where it asks for one', () => {
    const world = new World();
    world.parents.submit([there(1), there(2)]);
    world.submit(here(3), [there(1), there(2)], { when: 'failure' });
    world.exchange();
    world.parents.runOnce(there(1), 'failed');
    world.exchange();
    expect(world.ready).toBe(0);
    world.parents.runOnce(there(2));
    world.exchange();
    expect(world.ready).toBe(1);
  });

  test('is decided once, whatever is repeated, late, or replayed', () => {
    const world = new World();
    world.parents.submit([there(1)]);
    world.submit(here(2), [there(1)]);
    const asks = world.letters(world.children);
    world.deliver(world.children);
    world.deliver(world.children);
    world.parents.runOnce(there(1));
    const answers = world.letters(world.parents);
    expect(answers).toHaveLength(1);
    world.deliver(world.parents);
    expect(world.ready).toBe(1);
    world.acknowledge(world.children);
    world.acknowledge(world.parents);
    // An old leader's requests arrive at last.
    expect(world.deliver(world.children, undefined, asks).replies).toMatchObject([
      { repeated: true },
    ]);
    expect(world.deliver(world.parents, undefined, answers).replies).toMatchObject([
      { repeated: true },
    ]);
    expect(world.ready).toBe(1);
    for (const shard of [world.children, world.parents]) {
      shard.flush();
      expect(shard.restarted().digest()).toBe(shard.machine.digest());
    }
  });

  test('keeps what it waits for over a restart, and messages their numbers', () => {
    const world = new World();
    world.parents.submit([there(1)]);
    world.submit(here(2), [there(1)]);
    world.children.flush();
    world.children.machine = world.children.restarted();
    expect(world.letters(world.children)).toHaveLength(1);
    world.deliver(world.children);
    world.acknowledge(world.children);
    world.parents.flush();
    world.parents.machine = world.parents.restarted();
    world.parents.runOnce(there(1));
    world.children.flush();
    world.children.machine = world.children.restarted();
    world.exchange();
    expect(world.ready).toBe(1);
    world.submit(here(3), [there(1)]);
    expect(world.letters(world.children)[0]?.sequence).toBe(2);
  });

  test('that was cancelled does not mind the answer', () => {
    const world = new World();
    world.parents.submit([there(1)]);
    world.submit(here(2), [there(1)]);
    world.exchange();
    world.children.cancel(here(2));
    world.parents.runOnce(there(1));
    world.exchange();
    expect(world.record(here(2))?.state).toBe('cancelled');
  });

  test('takes no number twice after a recovery of the shard that sends', () => {
    const world = new World();
    world.submit(here(2), [there(1)]);
    world.children.apply({ kind: 'recover', epoch: 1 });
    world.submit(here(3), [there(1)]);
    const [first, second] = world.letters(world.children);
    expect([first?.sequence, second?.sequence]).toEqual([1, 2 ** 32 + 2]);
  });

  test('that names itself is refused', () => {
    const world = new World();
    expect(world.submit(here(1), [here(1)]).replies).toMatchObject([{ code: 'badSpec' }]);
  });
});
