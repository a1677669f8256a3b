/** What a run would do to a cluster that was attached to, told before anything is done. */
import { kindsOf, type Lack } from './abilities.ts';
import type { Attached } from './attach.ts';
import { findAttachedLacks } from './attached-lacks.ts';
import { kindRow } from './fault-kinds.ts';
import type { Scenario } from './scenario.ts';
import { planFaults } from './schedule.ts';
import { tellTarget } from './target.ts';

export interface AttachPlan {
  readonly scenario: string;
  readonly shards: number;
  readonly rate: number;
  readonly workMs: number;
  /** Made for the run, and deleted after it. */
  readonly schedules: number;
  readonly nodes: readonly PlannedNode[];
  readonly faults: readonly {
    readonly atMs: number;
    readonly forMs: number;
    readonly kind: string;
    readonly target: string;
    readonly does: string;
  }[];
  readonly lacks: readonly Lack[];
}

export interface PlannedNode {
  readonly node: string;
  readonly name: string;
  readonly address: string;
  /** Absent of a node that is known by its address only. */
  readonly pid?: number | undefined;
  readonly dataDir?: string | undefined;
  readonly startedAgainBy?: string | undefined;
  /** What it would be started again with, without secrets. */
  readonly command?: string | undefined;
}

export async function planAttack(
  attached: Attached,
  scenario: Scenario,
  seed: number,
): Promise<AttachPlan> {
  return {
    scenario: scenario.name,
    shards: attached.shards,
    rate: scenario.rate,
    workMs: scenario.workMs,
    schedules: scenario.schedules.once + scenario.schedules.everyMinute,
    nodes: attached.nodes.map(({ number, name, address, local }) => ({
      ...{ node: `n${number}`, name, address },
      ...(local === undefined
        ? {}
        : {
            ...{ pid: local.process.pid, dataDir: local.dir, command: local.command },
            startedAgainBy:
              local.restarter === 'self' ? 'this run' : (local.process.unit ?? 'its manager'),
          }),
    })),
    faults: planFaults(scenario, seed).map(({ atMs, forMs, kind, target }) => ({
      ...{ atMs, forMs, kind, target: tellTarget(target), does: kindRow(kind).does },
    })),
    lacks: await findAttachedLacks(kindsOf(scenario), scenario, attached),
  };
}
