/**
 * The part of a node's verbs that is about what is not a task yet: planning, templates, and whose
 * tasks are placed at all. See `node-api.ts`.
 */
import type { ErrorCode } from '../model/errors.ts';
import type { Verdict } from '../model/planning.ts';
import type { Tier } from '../model/resources.ts';
import type { TaskSpec } from '../model/spec.ts';
import type { PlacementPause, WaitingReason } from '../model/task.ts';

/** What a node says to a task, by what it advertised. */
export interface NodeVerdict {
  readonly node: string;
  readonly name: string;
  readonly tier: Tier;
  readonly advertAgeMs: number;
  readonly verdict: Verdict;
  readonly sentence: string;
}

/** One revision of a template; it never changes. */
export interface TemplateView {
  readonly tenant: string;
  readonly name: string;
  readonly revision: number;
  readonly by: string;
  readonly atMs: number;
  readonly description: string;
  /** `parameters` and `task`, as JSON. */
  readonly document: string;
}

/** What would become of a task that is not submitted. */
export interface PlannedTask {
  /** All of it would start now; some of it would wait; it would be refused. */
  readonly verdict: 'starts' | 'waits' | 'refused';
  /** Why what waits would. */
  readonly reason?: WaitingReason | undefined;
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  /** Where it would start. */
  readonly places: readonly {
    readonly node: string;
    readonly name: string;
    readonly count: number;
  }[];
  /** How many would wait: of an array some may, and others not. */
  readonly waiting: number;
  /** How long it may wait for its start. */
  readonly toleranceMs?: number | undefined;
  /**
   * By when it should start, if it were submitted now and nothing but room kept it from starting.
   */
  readonly startBoundMs?: number | undefined;
  /** What each node says; missing where one plan would hold too many of them. */
  readonly nodes?: readonly NodeVerdict[] | undefined;
}

export interface ControlApi {
  /** What would become of these tasks, from what nodes advertised; nothing is submitted. */
  plan(tasks: readonly { readonly spec: TaskSpec; readonly count: number }[]): PlannedTask[];
  /** Tenants that are paused, and the whole cluster where it is. */
  pauses(): readonly PlacementPause[];
  /**
   * Pauses the placement of a tenant's tasks, or of all, or takes that back. `token` is judged as
   * for `drainNode`.
   */
  pausePlacement(
    tenant: string,
    how: { readonly on: boolean; readonly suspend: boolean; readonly reason: string },
    token: string,
  ): Promise<readonly PlacementPause[]>;
  /** The newest revision of each template, of one tenant or of all. */
  templates(tenant?: string | undefined): readonly TemplateView[];
  /** Of a template, oldest first; empty where there is none. */
  templateRevisions(tenant: string, name: string): readonly TemplateView[];
  /** A new revision; `expected` is the newest there is, 0 for none. */
  putTemplate(
    template: Pick<TemplateView, 'tenant' | 'name' | 'description' | 'document'>,
    expected: number | undefined,
    token: string,
  ): Promise<TemplateView>;
  /** Takes a template away, or one of its revisions; `repeated` where it was not there. */
  dropTemplate(
    template: {
      readonly tenant: string;
      readonly name: string;
      readonly revision?: number | undefined;
    },
    token: string,
  ): Promise<{ readonly repeated: boolean }>;
}
