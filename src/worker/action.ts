/** What the worker reactor asks its host to do, and what it is made with. Pure. */
import type { NodeId, ShardId } from '../model/ids.ts';
import type { PortRange, Resources } from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';
import type {
  AttemptControl,
  AttemptRef,
  FromWorker,
  TaskInput,
} from '../model/worker-protocol.ts';
import type { AttemptKey } from '../ports/runner.ts';

/** An attempt that is to start: everything of an `AttemptOrder` but the environment. */
export interface Launch extends AttemptRef {
  readonly key: AttemptKey;
  /** Number of the run, from 1: attempts that ended as lost do not count. */
  readonly run: number;
  readonly arrayIndex?: number | undefined;
  /** Empty until it is given resources. */
  readonly ports: readonly number[];
  readonly spec: TaskSpec;
  /** What was left to its start bound when it was dispatched, where that was told. */
  readonly boundInMs?: number | undefined;
  readonly inputs?: readonly TaskInput[] | undefined;
  /** Of a gang: where each of it runs, by rank; empty for one that is done. */
  readonly peers?: readonly string[] | undefined;
}

export type WorkerAction =
  /** To whoever leads `shard` now. */
  | { readonly kind: 'send'; readonly shard: ShardId; readonly message: FromWorker }
  | { readonly kind: 'launch'; readonly launch: Launch }
  | { readonly kind: 'end'; readonly key: AttemptKey; readonly outcomeKind: 'cancelled' | 'lost' }
  | { readonly kind: 'control'; readonly key: AttemptKey; readonly control: AttemptControl }
  | {
      readonly kind: 'renewRunner';
      readonly shards: readonly { readonly shard: ShardId; readonly sentBootMs: number }[];
    }
  | { readonly kind: 'acknowledge'; readonly key: AttemptKey };

export interface WorkerOptions {
  readonly node: NodeId;
  readonly total: Resources;
  /** As many as `total` says. */
  readonly ports?: PortRange | undefined;
  /** Attempts queued beyond what runs. */
  readonly prefetchMax: number;
  /** Attempts that hold resources at the same time. */
  readonly runningMax: number;
}
