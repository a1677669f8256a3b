/** Which cluster a run works on: chosen by what was asked for. */
import type { ClusterSource } from './cluster.ts';
import type { ProgramEntry } from './node-process.ts';
import { ownClusters } from './own-cluster.ts';

export interface SourceOptions {
  readonly program: ProgramEntry;
}

export const sourceFor = ({ program }: SourceOptions): ClusterSource => ownClusters(program);
