/**
 * The gangs of a shard that are being started (ADR 0030). Each node of a gang first takes the room
 * and says `ready`; once all have, and none of it ends, each is told to `go` and where the others
 * are. Until then nothing of it runs.
 *
 * A hint of this leader only: a node repeats `ready` until it hears `go`, so the next leader learns
 * the same. Where one was started already by the leader before, the others follow.
 */
import type { NodeId, TaskId } from '../model/ids.ts';
import type { ToWorker } from '../model/worker-protocol.ts';
import type { ShardMachine } from '../shard/machine.ts';

interface Ready {
  readonly fence: number;
  readonly port: number | undefined;
}

export class GangDesk {
  readonly #shard: number;
  readonly #machine: ShardMachine;
  readonly #isEnding: (taskId: TaskId, fence: number) => boolean;
  readonly #hostOf: (node: NodeId) => string;
  readonly #tell: (node: NodeId, message: ToWorker) => void;
  readonly #ready = new Map<TaskId, Ready>();

  constructor(deps: {
    readonly shard: number;
    readonly machine: ShardMachine;
    /** Its end was decided and is not applied yet. */
    readonly isEnding: (taskId: TaskId, fence: number) => boolean;
    readonly hostOf: (node: NodeId) => string;
    readonly tell: (node: NodeId, message: ToWorker) => void;
  }) {
    this.#shard = deps.shard;
    this.#machine = deps.machine;
    this.#isEnding = deps.isEnding;
    this.#hostOf = deps.hostOf;
    this.#tell = deps.tell;
  }

  /** A node has the room for one of a gang. */
  ready(taskId: TaskId, { fence, port }: Ready): void {
    const gang = this.#machine.gangOf(taskId);
    if (gang.fence !== fence || gang.size === 0) return;
    const first = this.#ready.get(taskId)?.fence !== fence;
    this.#ready.set(taskId, { fence, port });
    const members = gang.ids.map(id => this.#machine.attempt(id, fence));
    const peers = new Array<string>(gang.size).fill('');
    for (const attempt of members) {
      if (attempt === undefined || attempt.ending || this.#isEnding(attempt.taskId, fence)) return;
      const known = this.#ready.get(attempt.taskId);
      const isReady = attempt.state === 'running' || known?.fence === fence;
      if (!isReady) return;
      const host = this.#hostOf(attempt.node);
      peers[attempt.arrayIndex ?? 0] = known?.port === undefined ? host : `${host}:${known.port}`;
    }
    for (const attempt of members) {
      if (attempt?.state !== 'assigned') continue;
      // Whoever says it again has not heard the word; the others are told once.
      if (!first && attempt.taskId !== taskId) continue;
      const ref = { shard: this.#shard, taskId: attempt.taskId, fence };
      this.#tell(attempt.node, { kind: 'go', ...ref, peers });
    }
  }

  /** Its attempt is over. */
  ended(taskId: TaskId): void {
    this.#ready.delete(taskId);
  }
}
