/** Which cluster a run works on: chosen by what was asked for. */
import type { Attached } from './attach.ts';
import { attachedClusters } from './attached-cluster.ts';
import type { ClusterSource } from './cluster.ts';
import type { ProgramEntry } from './node-process.ts';
import { ownClusters } from './own-cluster.ts';

export interface SourceOptions {
  readonly program: ProgramEntry;
  /** A cluster that runs already, in place of one of the run's own. */
  readonly attached?: Attached | undefined;
}

export const sourceFor = ({ program, attached }: SourceOptions): ClusterSource =>
  attached === undefined ? ownClusters(program) : attachedClusters(attached);
