/** What the planner sees and says. A view is never called a snapshot (DESIGN 2). */
import type { AdvertisedShare, Advertisement, Claim, WaitingHead } from './advertisement.ts';
import type { NodeId, TaskId } from './ids.ts';
import type { ResourceName, Resources, Tier } from './resources.ts';
import type { OffPeak } from './spec-scheduling.ts';
import type { WaitingReason } from './task.ts';

/** What a task needs of a node. Interned by the shard: equal demands are one object. */
export interface Demand {
  /** Canonical text of the other fields; equal keys mean equal demands. */
  readonly key: string;
  readonly tier: Tier;
  readonly request: Resources;
  readonly require: readonly (readonly [string, string])[];
  /** Labels that a node had better have; missing where none were asked for. */
  readonly prefer?: readonly (readonly [string, string])[] | undefined;
  /** Its tasks are spread over the values of a label, with all others of the group. */
  readonly spread?: { readonly label: string; readonly group: string } | undefined;
  /** So many tasks of it were submitted to start together; missing for a task by itself. */
  readonly gang?: number | undefined;
  /** In whose room it is to run; missing where it takes what is free for all. */
  readonly reservation?: { readonly name: string; readonly tenant: string } | undefined;
}

/** A task of a gang as the planner sees it. */
export interface GangMember {
  readonly id: TaskId;
  readonly avoid: readonly NodeId[];
}

/** Tasks that differ only in when they became ready. Interned by the shard, as demands are. */
export interface Lane {
  /** Canonical text of the other fields; equal keys mean equal lanes. */
  readonly key: string;
  readonly demand: Demand;
  readonly tenant: string;
  /** Position in `priorities`. */
  readonly priority: number;
  /** Held until one of this, or until the bound is near. */
  readonly offPeak: OffPeak | undefined;
}

export interface ReadyTask {
  readonly id: TaskId;
  /** State time at which it became ready. */
  readonly readySinceMs: number;
  /** It should start by then: `readySinceMs` plus its delay tolerance. */
  readonly boundMs: number;
  /** Execution cap of an attempt; 0 is none. */
  readonly capMs: number;
  /** Nodes where an earlier attempt failed: taken only where no other would do. */
  readonly avoid: readonly NodeId[];
  /** It stands for its gang: these are to be placed together, itself included, or none. */
  readonly gang?: readonly GangMember[] | undefined;
}

/** Ready tasks of one lane in the order of their bounds, at most as many as were asked for. */
export interface ReadyBatch {
  readonly lane: Lane;
  readonly tasks: readonly ReadyTask[];
  /** How many are ready in all. */
  readonly count: number;
}

export interface NodeView {
  readonly advertisement: Advertisement;
  /** Age of the advertisement at this leader. */
  readonly ageMs: number;
  /** Taken by this node's own placements since the advertisement was made. */
  readonly reserved: Resources;
  readonly reservedCount: number;
  /** What it keeps for reservations, less what this leader placed there since. */
  readonly shares?: readonly AdvertisedShare[] | undefined;
  /** No placement before this instant: it refused lately. 0 where it did not. */
  readonly coolDownUntilMs: number;
}

/** Why a node was not taken for a demand: a closed set. */
export type Verdict =
  | { readonly kind: 'fits'; readonly load: number }
  | { readonly kind: 'tier'; readonly has: Tier }
  | {
      readonly kind: 'resource';
      readonly name: ResourceName;
      readonly wanted: number;
      readonly free: number;
      /** Free there, but kept for the tasks of reservations. */
      readonly kept?: number | undefined;
    }
  | {
      readonly kind: 'never';
      readonly name: ResourceName;
      readonly wanted: number;
      readonly total: number;
    }
  | { readonly kind: 'label'; readonly name: string; readonly wanted: string }
  | { readonly kind: 'coolDown'; readonly untilMs: number }
  | { readonly kind: 'stale'; readonly ageMs: number }
  | { readonly kind: 'draining' }
  | { readonly kind: 'avoided' }
  /** It keeps no room for the reservation that the task names. */
  | { readonly kind: 'reservation'; readonly name: string }
  | { readonly kind: 'noSupervisor' };

export interface Plan {
  readonly placements: readonly {
    readonly taskId: TaskId;
    readonly node: NodeId;
    readonly nodeName: string;
    readonly incarnation: string;
    readonly demand: Demand;
    readonly tenant: string;
    /** No node has room: it waits in the queue of this one. */
    readonly queued: boolean;
    /** Of a gang: its tasks follow one another, and stand or fall together. */
    readonly gang?: TaskId | undefined;
  }[];
  /**
   * Demands, or single lanes of them, that could not be placed (in full) now, each with the reason
   * that its tasks show.
   */
  readonly blocked: readonly {
    readonly demand: Demand;
    readonly lane?: Lane | undefined;
    readonly reason: WaitingReason;
  }[];
  /** Where room is kept until the next plan. */
  readonly claims: readonly Claim[];
  /** Room was left to other leaders: it is to be looked at again soon. */
  readonly hasYielded: boolean;
  /** The first tasks that were not placed, as the other leaders are told; missing for none. */
  readonly heads?: readonly WaitingHead[] | undefined;
}
