/**
 * The first bars of the budgets (docs/guides/benchmarks.md). A bar that is not met fails nothing.
 */
import type { Row } from './measure.ts';

export interface Bar {
  readonly row: string;
  readonly least?: number | undefined;
  /** The value has to stay below. */
  readonly below?: number | undefined;
}

export const bars: readonly Bar[] = [
  { row: 'submits.64', least: 3_000 },
  { row: 'submits.batched', least: 10_000 },
  { row: 'latency.p50', below: 60 },
  { row: 'noop.process', least: 300 },
  { row: 'failover.max', below: 3 },
  { row: 'memory.live', below: 400 },
  { row: 'scale.memory', below: 400 },
  { row: 'scale.rate', least: 0.5 },
  { row: 'scale.placement', below: 3 },
  { row: 'scale.restart', below: 20 },
];

export interface Verdict {
  readonly row: string;
  readonly bar: string;
  readonly value: number;
  readonly passed: boolean;
}

/** The verdict on a row, or `undefined` where no bar stands for it. */
export function judge(row: Row): Verdict | undefined {
  const bar = bars.find(one => one.row === row.id);
  if (bar === undefined) return undefined;
  const { least, below } = bar;
  const passed =
    (least === undefined || row.value >= least) && (below === undefined || row.value < below);
  const words = least === undefined ? `< ${below} ${row.unit}` : `>= ${least}${row.unit}`;
  return { row: row.id, bar: words, value: row.value, passed };
}
