/** An attempt as the leader of its shard sees it: it is dispatched, leased, and declared lost. */
import { assert } from '../model/assert.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Demand } from '../model/planning.ts';
import type { SpecOverrides } from '../model/spec-overrides.ts';
import { stateCode } from './memory/task-table.ts';
import { traitsOf } from './memory/traits-of.ts';
import type { ShardState } from './state.ts';

export interface LiveAttempt {
  readonly taskId: TaskId;
  readonly fence: number;
  readonly run: number;
  readonly node: NodeId;
  readonly nodeName: string;
  readonly incarnation: string;
  readonly state: 'assigned' | 'running';
  /** Its node is to end it: somebody asked for that, or its gang runs again. */
  readonly ending: 'cancelled' | 'superseded' | undefined;
  /** Whoever paused its task wants it to stand still. */
  readonly toSuspend: boolean;
  /** Its worker has said that it does. */
  readonly suspended: boolean;
  /** In the place of values of its spec. */
  readonly overrides: SpecOverrides | undefined;
  readonly tenant: string;
  readonly leaseMs: number;
  /** Execution cap; 0 is none. */
  readonly capMs: number;
  readonly assignedAtMs: number;
  /** When it should start. */
  readonly boundMs: number;
  readonly arrayIndex: number | undefined;
  /** Of its spec: 32 hexadecimal digits. */
  readonly digest: string;
  /** What it holds on its node. */
  readonly demand: Demand;
}

export function liveAttempt({ table, specs, due }: ShardState, row: number): LiveAttempt {
  const detail = table.ensureDetail(row);
  assert(detail.live, 'the attempt is live');
  const { fence, run, node, nodeName, incarnation, assignedAtMs } = detail.live;
  const { leaseMs, capMs, demand, tenant } = traitsOf(table, specs, row);
  return {
    taskId: table.id(row),
    fence,
    run,
    node,
    nodeName,
    incarnation,
    state: table.state(row) === stateCode.running ? 'running' : 'assigned',
    ending: detail.cancelRequested ? 'cancelled' : detail.recall && 'superseded',
    toSuspend: detail.pause?.suspend === true,
    suspended: detail.suspended,
    overrides: detail.update?.overrides,
    tenant,
    leaseMs,
    capMs,
    assignedAtMs,
    boundMs: due.boundMs(row),
    arrayIndex: detail.arrayIndex,
    digest: specs.digestHex(table.spec(row)),
    demand,
  };
}
