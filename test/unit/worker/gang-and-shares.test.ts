/** One of a gang takes its room and waits for the word; what is reserved is kept from others. */
import { describe, expect, test } from 'vitest';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import { noResources } from '../../../src/model/resources.ts';
import { encodeSpec, type TaskSpec } from '../../../src/model/spec.ts';
import type { FromWorker } from '../../../src/model/worker-protocol.ts';
import type { WorkerAction } from '../../../src/worker/action.ts';
import { gangPatienceMs } from '../../../src/worker/patience.ts';
import { WorkerReactor } from '../../../src/worker/reactor.ts';
import { aSpec } from '../../support/shard.ts';

const shard = 3;
const id = (number: number): TaskId => formatTaskId({ atMs: 1, slot: 1, random: number });
const cpu = (cpuMilli: number) => ({ ...noResources, cpuMilli });

/** A node of 4 CPUs whose leader confirms every renewal at once. */
class Node {
  now = 1_000_000;
  readonly actions: WorkerAction[] = [];
  readonly reactor = new WorkerReactor({
    node: 'n1',
    total: cpu(4_000),
    prefetchMax: 3,
    runningMax: 16,
  });

  constructor() {
    this.reactor.onHello({ incarnation: 'sup-1', found: [], isolation: {} });
  }

  #take(actions: WorkerAction[]): WorkerAction[] {
    this.reactor.invariants();
    this.actions.push(...actions);
    for (const action of actions) {
      if (action.kind !== 'send' || action.message.kind !== 'renew') continue;
      const { incarnation, sequence, asks } = action.message;
      const confirmed = {
        kind: 'renewAck',
        shard,
        incarnation,
        sequence,
        confirmed: asks,
      } as const;
      this.#take(this.reactor.onMessage(confirmed, 'n2', this.now));
    }
    return actions;
  }

  dispatch(number: number, cpuMilli: number, parts: Partial<TaskSpec> = {}, fence = 1): void {
    const request = cpu(cpuMilli);
    const spec = encodeSpec(aSpec({ request, limit: request, ...parts }));
    const ref = { shard, taskId: id(number), fence };
    const message = {
      kind: 'dispatch',
      ...ref,
      incarnation: 'sup-1',
      renewed: 0,
      run: 1,
      spec,
    } as const;
    this.#take(this.reactor.onMessage(message, 'n2', this.now));
  }

  go(number: number, peers: readonly string[], fence = 1): void {
    const message = { kind: 'go', shard, taskId: id(number), fence, peers } as const;
    this.#take(this.reactor.onMessage(message, 'n2', this.now));
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.now += 100;
      this.#take(this.reactor.tick(this.now));
    }
  }

  keep(cpuMilli: number): void {
    const shares = [{ name: 'r', tenant: 'default', amount: cpu(cpuMilli) }];
    this.#take(this.reactor.keep(cpuMilli === 0 ? [] : shares));
  }

  launches(): { taskId: TaskId; peers: readonly string[] | undefined }[] {
    return this.actions.flatMap(action =>
      action.kind === 'launch'
        ? [{ taskId: action.launch.taskId, peers: action.launch.peers }]
        : [],
    );
  }

  said(number: number): FromWorker['kind'][] {
    return this.actions.flatMap(action =>
      action.kind === 'send' &&
      action.message.kind !== 'renew' &&
      action.message.taskId === id(number)
        ? [action.message.kind]
        : [],
    );
  }
}

describe('One of a gang', () => {
  test('takes its room, says so until it hears the word, and only then starts', () => {
    const node = new Node();
    node.dispatch(1, 3_000, { gang: 2 });
    expect(node.said(1)).toEqual(['accepted', 'ready']);
    expect(node.reactor.free.cpuMilli).toBe(1_000);
    node.pass(2_500);
    expect(node.said(1)).toEqual(['accepted', 'ready', 'ready', 'ready']);
    expect(node.launches()).toEqual([]);
    node.go(1, ['10.0.0.1', '10.0.0.2:4000'], 2);
    expect(node.launches()).toEqual([]);
    node.go(1, ['10.0.0.1', '10.0.0.2:4000']);
    node.go(1, ['elsewhere']);
    expect(node.launches()).toEqual([{ taskId: id(1), peers: ['10.0.0.1', '10.0.0.2:4000'] }]);
  });

  test('is refused where there is no room now, and is never queued', () => {
    const node = new Node();
    node.dispatch(1, 3_000);
    node.dispatch(2, 2_000, { gang: 2 });
    node.dispatch(3, 2_000);
    expect(node.said(2)).toEqual(['refused']);
    expect(node.said(3)).toEqual(['accepted']);
    // What stands in the queue has a right to the rest.
    node.dispatch(4, 500, { gang: 2 });
    expect(node.said(4)).toEqual(['refused']);
  });

  test('gives its room back when the word does not come', () => {
    const node = new Node();
    node.dispatch(1, 3_000, { gang: 2, leaseMs: 60_000 });
    node.pass(gangPatienceMs + 100);
    expect(node.said(1).at(-1)).toBe('refused');
    expect(node.reactor.free.cpuMilli).toBe(4_000);
    node.go(1, ['late']);
    expect(node.launches()).toEqual([]);
  });
});

describe('What is kept for a reservation', () => {
  test('is not free, and not given to others', () => {
    const node = new Node();
    node.keep(3_000);
    expect(node.reactor.free.cpuMilli).toBe(1_000);
    node.dispatch(1, 2_000);
    expect(node.said(1)).toEqual(['refused']);
    node.dispatch(2, 1_000);
    expect(node.launches()).toHaveLength(1);
    node.dispatch(3, 1_000);
    node.pass(6_000);
    expect(node.said(3)).toEqual(['accepted', 'refused']);
  });

  test('is taken by tasks of its tenant that name it, as far as it goes', () => {
    const node = new Node();
    node.keep(3_000);
    node.dispatch(1, 2_000, { reservation: 'r' });
    node.dispatch(2, 2_000, { reservation: 'r' });
    node.dispatch(3, 500, { reservation: 'r', tenant: 'other' });
    node.dispatch(4, 500, { reservation: 'none' });
    expect([1, 2, 3, 4].map(number => node.said(number)[0])).toEqual([
      'accepted',
      'refused',
      'refused',
      'refused',
    ]);
    const { free, shares } = node.reactor;
    expect(free.cpuMilli).toBe(1_000);
    expect(shares).toEqual([{ name: 'r', tenant: 'default', used: cpu(2_000), left: cpu(1_000) }]);
  });

  test('is not claimed by what stands in the queue', () => {
    const node = new Node();
    node.keep(3_000);
    node.dispatch(1, 1_000);
    node.dispatch(2, 1_000);
    expect(node.reactor.queued).toBe(1);
    expect(node.reactor.shares[0]?.left.cpuMilli).toBe(3_000);
    node.dispatch(3, 3_000, { reservation: 'r' });
    expect(node.launches()).toHaveLength(2);
  });

  test('is what tasks that ran before it leave, and free again when it is over', () => {
    const node = new Node();
    node.dispatch(1, 3_000);
    node.keep(2_000);
    expect(node.reactor.free.cpuMilli).toBe(0);
    expect(node.reactor.shares[0]?.left.cpuMilli).toBe(1_000);
    node.dispatch(2, 1_000, { reservation: 'r' });
    node.keep(0);
    expect(node.reactor.free.cpuMilli).toBe(0);
    expect(node.launches()).toHaveLength(2);
    node.dispatch(3, 1_000, { reservation: 'r' });
    expect(node.said(3)).toEqual(['refused']);
  });
});
