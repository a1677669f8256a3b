/** What every measure is given and what it gives. */
import type { BenchCluster } from './cluster.ts';
import type { BenchOptions } from './options.ts';

export interface BenchContext {
  readonly options: BenchOptions;
  /** A cluster with nothing to do, shared by the measures that leave it so; not to be stopped. */
  readonly idleCluster: () => Promise<BenchCluster>;
  /** A line for the person who waits. */
  readonly progress: (line: string) => void;
  /** Does `work`; with `--profile` under a CPU profile of every node, named after `label`. */
  readonly profiled: <T>(
    cluster: BenchCluster,
    label: string,
    work: () => Promise<T>,
  ) => Promise<T>;
}

/** One line of the table. */
export interface Row {
  /** Names the row in the JSON document, in bars and in ratios: `submits.64`. */
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly unit: string;
  /** What a reader has to know beside the value. */
  readonly note: string;
}

export interface Measured {
  readonly rows: readonly Row[];
  /** Everything else that was measured, for the JSON document. */
  readonly detail: object;
}

export type Measure = (context: BenchContext) => Promise<Measured>;
