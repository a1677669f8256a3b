/**
 * A shard's leader to test: its machine is real; its log, its clock and its worker are played by
 * hand.
 */
import type { TaskId } from '../../../src/model/ids.ts';
import type { PauseView } from '../../../src/model/task.ts';
import type { FromWorker, ToWorker } from '../../../src/model/worker-protocol.ts';
import type { NodeContext } from '../../../src/node/context.ts';
import type { Applied } from '../../../src/node/pending-proposals.ts';
import type { PlacementDesk } from '../../../src/node/placement-desk.ts';
import type { Replica } from '../../../src/node/replica.ts';
import { ShardLeader } from '../../../src/node/shard-leader.ts';
import { idOf, TestShard } from '../../support/shard.ts';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
  gone: boolean;
}

/** Virtual time: nothing happens but in `pass`. */
export class HandClock {
  ms = 1_000_000;
  readonly #timers: Timer[] = [];

  readonly clock = {
    nowMs: () => this.ms,
    wallMs: () => 1_700_000_000_000 + this.ms,
    bootMs: () => this.ms,
    after: (delayMs: number, fire: () => void) => {
      const timer = { atMs: this.ms + Math.max(0, delayMs), fire, gone: false };
      this.#timers.push(timer);
      return () => {
        timer.gone = true;
      };
    },
  };

  /** Fires what is due within `ms`, in order; promises settle in between. */
  async pass(ms: number): Promise<void> {
    const endMs = this.ms + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter(timer => !timer.gone && timer.atMs <= endMs);
      const next = due.sort((left, right) => left.atMs - right.atMs)[0];
      if (next === undefined) break;
      next.gone = true;
      this.ms = Math.max(this.ms, next.atMs);
      next.fire();
    }
    this.ms = endMs;
    await settled();
  }
}

/** Lets all promises go on that can. */
export const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

export const silentLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

interface Held {
  readonly data: Uint8Array;
  readonly resolve: (applied: Applied) => void;
}

export class LeaderBench {
  readonly hand = new HandClock();
  readonly shard = new TestShard();
  /** What the worker was told, in order. */
  readonly told: ToWorker[] = [];
  /** Of tenants, as the registry has them here. */
  readonly pauses = new Map<string, PauseView>();
  /** While true, what is proposed stays in the log without being applied. */
  holding = false;
  readonly #held: Held[] = [];
  #reads: (() => void)[] = [];
  leader: ShardLeader;
  readonly #lead: () => ShardLeader;

  constructor(tasks = 1) {
    this.shard.submit(Array.from({ length: tasks }, (_, n) => idOf(n + 1)));
    const scheduler = {
      answered: () => undefined,
      startsAtOnce: () => false,
      accepted: () => undefined,
      refused: () => undefined,
      wake: () => undefined,
      toWorker: (_node: string, message: ToWorker) => this.told.push(message),
    };
    const context = {
      nodeId: 'leader',
      clusterVersion: () => 3,
      clock: this.hand.clock,
      log: silentLog,
      loop: {
        vitals: { diskLow: false },
        propose: (_replica: Replica, data: Uint8Array) =>
          new Promise<Applied>(resolve => {
            this.#held.push({ data, resolve });
            if (!this.holding) this.release();
          }),
        replica: () => ({ machine: { pauses: () => this.pauses } }),
        read: () => new Promise<void>(resolve => this.#reads.push(resolve)),
      },
    };
    this.#lead = () =>
      new ShardLeader({
        context: context as unknown as NodeContext,
        desk: scheduler as unknown as PlacementDesk,
        replica: { group: 1, leading: true } as unknown as Replica,
        machine: this.shard.machine,
        readRow: () => undefined,
      });
    this.leader = this.#lead();
  }

  /** Another leader takes over. */
  succeed(): void {
    this.leader.stop();
    this.leader = this.#lead();
  }

  /** Applies what was proposed. */
  release(): void {
    for (const { data, resolve } of this.#held.splice(0)) {
      const { replies, effects } = this.shard.applyBytes(data);
      this.leader.onEffects(effects);
      resolve({ index: this.shard.log.length, term: 1, replies });
    }
  }

  async assign(n = 1, node = 'n1'): Promise<{ taskId: TaskId; fence: number }> {
    const taskId = idOf(n);
    const reply = await this.leader.assign([
      { taskId, node, nodeName: node, incarnation: `${node}-a` },
    ]);
    const first = reply[0];
    if (first?.ok !== true) throw new Error('not assigned');
    return { taskId, fence: first.fence ?? 0 };
  }

  hear(message: FromWorker, from = 'n1'): void {
    this.leader.onWorker(from, message);
  }

  /** A renewal comes in, and its read round is done at once. */
  async renew(sequence: number, asks: { taskId: TaskId; fence: number }[] = []): Promise<void> {
    this.hear({ kind: 'renew', shard: 1, incarnation: 'n1-a', sequence, asks });
    await this.readsDone();
  }

  async readsDone(): Promise<void> {
    await settled();
    for (const done of this.#reads.splice(0)) done();
    await settled();
  }

  /** What the worker was told since the last look. */
  take<K extends ToWorker['kind']>(kind: K): Extract<ToWorker, { kind: K }>[] {
    const taken = this.told.filter(message => message.kind === kind);
    this.told.length = 0;
    return taken as Extract<ToWorker, { kind: K }>[];
  }

  state(n = 1): string | undefined {
    return this.shard.machine.record(idOf(n))?.state;
  }
}
