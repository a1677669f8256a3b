/**
 * Bugs put in from outside, to see that the simulator finds them: through the ports, or by
 * replacing a method of a class for the time of a run. Nothing of this is in the program.
 */
import { DriveLoop } from '../../src/node/drive-loop.ts';
import { Replica } from '../../src/node/replica.ts';
import type { Runner } from '../../src/ports/runner.ts';
import type { StoreOp } from '../../src/ports/store.ts';
import { RaftLog } from '../../src/raft/raft-log.ts';
import { FenceMemory } from '../../src/worker/fence-memory.ts';
import type { Plants } from './cluster.ts';
import { circumstances, type SimOptions } from './options.ts';
import { SimStore } from './sim-store.ts';

export interface PlantedBug {
  readonly name: string;
  /** A seed that is known to find it; others are tried where it does not any more. */
  readonly seed: number;
  /** What the simulator has to say. */
  readonly says: RegExp;
  readonly plants?: Plants | undefined;
  /** Circumstances in which it shows; what is not named is drawn from the seed. */
  readonly options?: Partial<SimOptions> | undefined;
  /** Puts the bug in; the returned function takes it out again. */
  readonly patch?: (() => () => void) | undefined;
}

/** Replaces a method for all objects of a class until the returned function is called. */
function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

/** A disk that forgets terms and votes which come without entries. */
class ForgetfulStore extends SimStore {
  override write(ops: readonly StoreOp[], done: () => void): void {
    const entries = new Set(ops.flatMap(op => (op.kind === 'entries' ? [op.group] : [])));
    super.write(
      ops.filter(op => op.kind !== 'hard' || entries.has(op.group)),
      done,
    );
  }
}

/** The same runner with some of its verbs replaced. */
const altered = (runner: Runner, verbs: Partial<Runner>): Runner => ({
  start: events => runner.start(events),
  launch: order => runner.launch(order),
  end: (key, kind) => runner.end(key, kind),
  control: (key, control) => runner.control(key, control),
  renew: shards => runner.renew(shards),
  acknowledge: key => runner.acknowledge(key),
  output: (key, stream, offset, maxBytes) => runner.output(key, stream, offset, maxBytes),
  stop: options => runner.stop(options),
  ...verbs,
});

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a vote or an acknowledgement leaves before it is on the disk',
    seed: 1,
    says: /MsgVoteResp|MsgAppResp/,
    patch: () =>
      replaceMethod(
        Replica.prototype,
        'takeReady',
        original =>
          function (this: Replica, send) {
            const { core } = this;
            const ready = core.ready.bind(core);
            core.ready = () => {
              const work = ready();
              for (const message of work.msgsAfterPersist) send(message);
              return { ...work, msgsAfterPersist: [] };
            };
            original.call(this, send);
            core.ready = ready;
          },
      ),
  },
  {
    name: 'the disk forgets terms and votes',
    seed: 1,
    says: /hard state|granted before/,
    plants: { makeStore: options => new ForgetfulStore(options) },
  },
  {
    name: 'anybody gets a vote, however old its log',
    seed: 5,
    says: /applied another entry|not within|leads group .* without entry/,
    options: { nodes: 3, faults: ['crash', 'partition', 'transfer'], faultEveryMs: 400 },
    patch: () => replaceMethod(RaftLog.prototype, 'isUpToDate', () => () => true),
  },
  {
    name: 'a leader renews leases and answers reads without asking its majority',
    seed: 11,
    says: /was read as|was assigned with|not known any more|while .* lives/,
    options: {
      nodes: 3,
      growUnderLoad: false,
      faults: ['partition', 'pause'],
      faultEveryMs: 1_000,
      longFaults: false,
      requestEveryMs: 20,
      longTaskPercent: 5,
    },
    patch: () => replaceMethod(DriveLoop.prototype, 'read', () => async () => undefined),
  },
  {
    name: 'supervisors let attempts live five times as long as their leases',
    seed: 14,
    says: /while .* lives/,
    options: circumstances.leases,
    plants: {
      wrapRunner: runner =>
        altered(runner, {
          launch: order => runner.launch({ ...order, leaseMs: order.leaseMs * 5 }),
        }),
    },
  },
  {
    name: 'an end is told while the process still lives',
    seed: 1,
    says: /while .* lives|runs .* has/,
    plants: {
      wrapRunner: runner =>
        altered(runner, {
          start: events =>
            runner.start({
              ...events,
              onStarted: (key, startedAtMs) => {
                events.onStarted(key, startedAtMs);
                events.onEnded(key, {
                  kind: 'failed',
                  exitCode: 1,
                  startedAtMs,
                  endedAtMs: startedAtMs,
                  userCpuMs: 0,
                  systemCpuMs: 0,
                  peakMemoryBytes: 0,
                  stdoutBytes: 0,
                  stderrBytes: 0,
                  outputTruncated: false,
                  tail: '',
                  message: '',
                });
              },
            }),
        }),
    },
  },
  {
    name: 'a worker forgets what it has run',
    seed: 159,
    says: /settled|workers at rest|while .* lives/,
    options: {
      nodes: 3,
      faults: [],
      longFaults: false,
      longTaskPercent: 0,
      duplicatePercent: 50,
      reorderPercent: 50,
      delayMsMax: 3_000,
      requestEveryMs: 20,
      events: 12_000,
    },
    patch: () => replaceMethod(FenceMemory.prototype, 'recall', () => () => undefined),
  },
  {
    name: 'the clock of one machine runs three times as fast as the others',
    seed: 1,
    says: /while .* lives/,
    options: circumstances.leases,
    plants: { clockRate: index => (index === 0 ? 3 : 1) },
  },
  {
    name: 'nodes believe to have twice the capacity of their machines',
    seed: 2,
    says: /runs .* has/,
    plants: { believedCapacity: 2 },
  },
];
