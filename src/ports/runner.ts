/**
 * Running attempts on this machine. The real one is a supervisor process that outlives the node;
 * the simulated one keeps the same promises: nothing starts or lives past its deadline, an exit is
 * reported until it is acknowledged, also to a restarted node.
 */
import type { Outcome } from '../model/attempt.ts';
import type { ShardId, TaskId } from '../model/ids.ts';
import type { Resources } from '../model/resources.ts';
import type { Run } from '../model/spec.ts';
import type { AttemptControl, TaskInput } from '../model/worker-protocol.ts';

/** `<task id>.<fence>`: names an attempt on this machine, and its directory. */
export type AttemptKey = string;

export interface AttemptOrder {
  readonly key: AttemptKey;
  readonly shard: ShardId;
  readonly taskId: TaskId;
  readonly fence: number;
  readonly attemptRun: number;
  readonly run: Run;
  /** Complete environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly limit: Resources;
  readonly request: Resources;
  /** TCP ports of this node that are its own while it lives. */
  readonly ports: readonly number[];
  readonly capMs: number;
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly outputBytesMax: number;
  /** What it is given of the tasks that its own waited for. */
  readonly inputs?: readonly TaskInput[] | undefined;
  /** It may hand something on in the file that TSCHED_OUTPUT names. */
  readonly handsOn?: boolean | undefined;
}

/** What a restarted node finds. */
export interface FoundAttempt {
  readonly key: AttemptKey;
  readonly shard: ShardId;
  readonly taskId: TaskId;
  readonly fence: number;
  readonly request: Resources;
  /** Missing where it has none. */
  readonly ports?: readonly number[] | undefined;
  readonly startedAtMs: number;
  /** As it goes on, where it was told so since it began. */
  readonly control?: AttemptControl | undefined;
  /** Set where it has ended. */
  readonly outcome?: Outcome | undefined;
}

export interface RunnerHello {
  /** Names the supervisor; another supervisor has another one. */
  readonly incarnation: string;
  readonly found: readonly FoundAttempt[];
  /**
   * It tells which ports an attempt has. A supervisor that an older program started does not: while
   * it lives, nobody is given any.
   */
  readonly keepsPorts?: boolean | undefined;
  /** What was probed and is used here, for `node show`: isolation, cgroup, pidNamespace, init. */
  readonly isolation: Readonly<Record<string, string>>;
  /** What tasks can require of that, as labels; a supervisor of an older program tells none. */
  readonly labels?: readonly (readonly [string, string])[] | undefined;
}

export interface RunnerEvents {
  onStarted(key: AttemptKey, startedAtMs: number): void;
  /** Repeated until `acknowledge`, also after a restart of the node. */
  onEnded(key: AttemptKey, outcome: Outcome): void;
  /** The attempt goes on as `control` said last: its processes stand still, or run again. */
  onControlled(key: AttemptKey, control: AttemptControl): void;
  /** The supervisor and all its attempts are gone; a new one has this hello. */
  onSupervisor(hello: RunnerHello): void;
}

export interface OutputChunk {
  readonly bytes: Uint8Array;
  /** Size of the stream so far. */
  readonly size: number;
  /** The attempt has ended: no more will come. */
  readonly ended: boolean;
}

export interface Runner {
  start(events: RunnerEvents): Promise<RunnerHello>;
  /** Starts the attempt if its lease is live at that moment, else ends it as lost. */
  launch(order: AttemptOrder): void;
  /** Ends the whole process tree: SIGTERM, grace, SIGKILL; reported with this kind. */
  end(key: AttemptKey, kind: 'cancelled' | 'lost'): void;
  /**
   * Stops the whole process tree where it is, or lets it go on; with `capMs`, changes its cap. The
   * cap counts only the time in which it is not stopped; the lease goes on. What is ended goes on
   * first, so that it can end in order. Told by `onControlled`; holds also when the node restarts.
   */
  control(key: AttemptKey, control: AttemptControl): void;
  /**
   * A renewal of these shards was acknowledged that was sent at `sentBootMs` (CLOCK_BOOTTIME). The
   * deadline of each attempt is then sentBootMs + 0.9 leaseMs - graceMs (DESIGN 9).
   */
  renew(shards: readonly { readonly shard: ShardId; readonly sentBootMs: number }[]): void;
  /** The outcome is recorded by the shard: the durable exit record may go. Output stays. */
  acknowledge(key: AttemptKey): void;
  /** Bytes of an attempt's output from `offset`; `undefined` where there is none on this node. */
  output(
    key: AttemptKey,
    stream: 'stdout' | 'stderr',
    offset: number,
    maxBytes: number,
  ): Promise<OutputChunk | undefined>;
  /** Lets go of the supervisor without ending it; with `end`, ends it and all its attempts. */
  stop(options: { readonly end: boolean }): Promise<void>;
}
