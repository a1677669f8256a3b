/** Which cluster a run works on: chosen by what was asked for. */
import { abilitiesOf, kindsOf } from './abilities.ts';
import type { Attached } from './attach.ts';
import { attachedClusters } from './attached-cluster.ts';
import type { ClusterSource } from './cluster.ts';
import { guestClusters } from './guest-cluster.ts';
import type { ProgramEntry } from './node-process.ts';
import { ownClusters } from './own-cluster.ts';
import type { Scenario } from './scenario.ts';

export interface SourceOptions {
  readonly program: ProgramEntry;
  readonly scenario: Scenario;
  /** A cluster that runs already, in place of one of the run's own. */
  readonly attached?: Attached | undefined;
}

export function sourceFor({ program, scenario, attached }: SourceOptions): ClusterSource {
  if (attached !== undefined) return attachedClusters(attached);
  const inGuest = abilitiesOf(kindsOf(scenario)).has('guest');
  return inGuest ? guestClusters(program) : ownClusters(program);
}
