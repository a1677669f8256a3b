/** The TCP ports that attempts are given: their own while they live, whoever restarts. */
import { describe, expect, test } from 'vitest';
import { systemOutcome } from '../../../src/model/attempt.ts';
import { formatTaskId, type TaskId } from '../../../src/model/ids.ts';
import { noResources } from '../../../src/model/resources.ts';
import { decodeSpec, encodeSpec } from '../../../src/model/spec.ts';
import type { FoundAttempt, RunnerHello } from '../../../src/ports/runner.ts';
import type { Launch, WorkerAction } from '../../../src/worker/action.ts';
import { attemptKey } from '../../../src/worker/attempt-ledger.ts';
import { WorkerReactor } from '../../../src/worker/reactor.ts';

const id = (number: number): TaskId => formatTaskId({ atMs: 1, slot: 1, random: number });
const ports = { from: 20_000, to: 20_003 };
const asking = (count: number) => ({ ...noResources, cpuMilli: 100, ports: count });

/** A node with four ports, whose leader confirms everything at once. */
class Desk {
  nowMs = 1_000;
  readonly launches: Launch[] = [];
  readonly refusals: string[] = [];
  readonly reactor = new WorkerReactor({
    node: 'n1',
    total: { ...noResources, cpuMilli: 2_000, ports: 4 },
    ports,
    prefetchMax: 2,
    runningMax: 16,
  });

  constructor(hello: Partial<RunnerHello> = {}) {
    const told = { incarnation: 's', found: [], keepsPorts: true, isolation: {}, ...hello };
    this.perform(this.reactor.onHello(told));
  }

  dispatch(number: number, count: number): void {
    const request = asking(count);
    const spec = encodeSpec({ ...decodeSpec(Uint8Array.of(1)), request, limit: request });
    const about = { shard: 1, taskId: id(number), fence: 1, incarnation: 's', renewed: 0, run: 1 };
    this.perform(this.reactor.onMessage({ kind: 'dispatch', ...about, spec }, 'n2', this.nowMs));
  }

  end(number: number): void {
    const key = attemptKey(id(number), 1);
    this.perform(this.reactor.onEnded(key, systemOutcome('succeeded', 9, ''), this.nowMs));
  }

  portsOf(number: number): readonly number[] | undefined {
    return this.launches.find(launch => launch.taskId === id(number))?.ports;
  }

  perform(actions: readonly WorkerAction[]): void {
    this.reactor.invariants();
    for (const action of actions) {
      if (action.kind === 'launch') this.launches.push(action.launch);
      if (action.kind !== 'send') continue;
      const { message } = action;
      if (message.kind === 'refused') this.refusals.push(message.why);
      if (message.kind !== 'renew') continue;
      const { shard, incarnation, sequence, asks: confirmed } = message;
      const answer = { kind: 'renewAck', shard, incarnation, sequence, confirmed } as const;
      this.perform(this.reactor.onMessage(answer, 'n2', this.nowMs));
    }
  }
}

const found = (number: number, own: readonly number[]): FoundAttempt => ({
  key: attemptKey(id(number), 1),
  shard: 1,
  taskId: id(number),
  fence: 1,
  request: asking(own.length),
  ports: own,
  startedAtMs: 5,
});

describe('the ports of a node', () => {
  test('are given to attempts one by one, none to two of them', () => {
    const desk = new Desk();
    desk.dispatch(1, 2);
    desk.dispatch(2, 1);
    desk.dispatch(3, 0);
    expect([1, 2, 3].map(number => desk.portsOf(number))).toEqual([[20_000, 20_001], [20_002], []]);
    expect(desk.reactor.free.ports).toBe(1);
  });

  test('make who asks for more than are left wait, and go to it when an attempt has ended', () => {
    const desk = new Desk();
    desk.dispatch(1, 3);
    desk.dispatch(2, 2);
    expect(desk.portsOf(2)).toBeUndefined();
    desk.end(1);
    expect(desk.portsOf(2)).toEqual([20_003, 20_000]);
  });

  test('are those of an attempt still when the node was restarted', () => {
    const desk = new Desk({ found: [found(1, [20_001, 20_002]), found(2, [9_000])] });
    expect(desk.reactor.free.ports).toBe(1);
    desk.dispatch(3, 1);
    expect(desk.portsOf(3)).toEqual([20_000]);
    desk.end(1);
    desk.dispatch(4, 2);
    expect(desk.portsOf(4)).toEqual([20_003, 20_001]);
  });

  test('are free again when a supervisor took all attempts with it', () => {
    const desk = new Desk();
    desk.dispatch(1, 4);
    const hello = { incarnation: 's', found: [], keepsPorts: true, isolation: {} };
    desk.perform(desk.reactor.onSupervisor(hello));
    desk.dispatch(2, 4);
    expect(desk.portsOf(2)).toHaveLength(4);
  });

  test('are refused to who asks for more than there are', () => {
    const desk = new Desk();
    desk.dispatch(1, 5);
    expect(desk.refusals).toEqual(['noPorts']);
  });

  test('are given to nobody by a supervisor that would not tell of them', () => {
    const desk = new Desk({ keepsPorts: undefined });
    expect(desk.reactor.free.ports).toBe(0);
    desk.dispatch(1, 1);
    desk.dispatch(2, 0);
    expect(desk.refusals).toEqual(['noPorts']);
    expect(desk.portsOf(2)).toEqual([]);
  });
});
