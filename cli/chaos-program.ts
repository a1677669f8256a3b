/**
 * The part of the program that breaks clusters: loaded only by `tsched chaos`, as `node-program.ts`
 * is by `tsched node start`. What the commands rely on is declared here, so that the compiler holds
 * the engine to it.
 */
import type { SpecProblem } from '../src/model/spec-reading.ts';

/** As much of a scenario as the commands look at; it is handed back as it came. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly nodes: number;
  readonly workMs: number;
  readonly faults: readonly { readonly kind: string }[];
  readonly random?: { readonly kinds: readonly string[] } | undefined;
}

export type ScenarioReading<Read extends Scenario = Scenario> =
  | { readonly ok: true; readonly scenario: Read }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

export type RunNews =
  | { readonly kind: 'step'; readonly text: string }
  | { readonly kind: 'fault'; readonly atMs: number; readonly text: string }
  | {
      readonly kind: 'tick';
      readonly atMs: number;
      readonly submitted: number;
      readonly acked: number;
      readonly led: number;
      readonly shards: number;
      readonly up: number;
      readonly nodes: number;
      readonly active: readonly string[];
    };

export interface ChaosReport {
  readonly scenario: string;
  readonly seed: number;
  readonly verdict: 'green' | 'red' | 'skipped';
  readonly headline: string;
  readonly lacks: readonly { readonly kind: string; readonly reason: string }[];
  readonly notes: readonly string[];
  readonly checks: readonly {
    readonly ok: boolean;
    readonly promise: string;
    readonly found: string;
    readonly cases: readonly string[];
  }[];
  readonly faults: readonly {
    readonly number: number;
    readonly kind: string;
    readonly nodes: readonly string[];
    readonly told: readonly string[];
    readonly recovery: readonly {
      readonly since: 'begin' | 'end';
      readonly ackMs?: number | undefined;
      readonly ledMs?: number | undefined;
    }[];
  }[];
}

/** What would be done to a cluster that runs already. */
export interface AttachPlan {
  readonly scenario: string;
  readonly shards: number;
  readonly rate: number;
  readonly workMs: number;
  readonly schedules: number;
  readonly nodes: readonly {
    readonly node: string;
    readonly name: string;
    readonly address: string;
    readonly pid?: number | undefined;
    readonly dataDir?: string | undefined;
    readonly startedAgainBy?: string | undefined;
    readonly command?: string | undefined;
  }[];
  readonly faults: readonly {
    readonly atMs: number;
    readonly forMs: number;
    readonly kind: string;
    readonly target: string;
    readonly does: string;
  }[];
  readonly lacks: readonly { readonly kind: string; readonly reason: string }[];
}

export const loadChaosProgram = async () => import('../src/chaos/main.ts');
