/**
 * Nodes that are drained, removed, declared dead and replaced while clients ask and machines fail:
 * every promise is kept, and the cluster is whole in the end.
 */
import { expect, test } from 'vitest';
import { type OperatorCounts, operate } from './operator.ts';
import type { FaultKind, SimOptions } from './options.ts';
import { runSeed } from './run.ts';

const seeds = 4;
const timeout = 240_000;

const circumstances = (faults: readonly FaultKind[]): Partial<SimOptions> => ({
  nodes: 4,
  shards: 4,
  growUnderLoad: false,
  events: 40_000,
  faults,
  faultEveryMs: 3_000,
  longFaults: true,
  longTaskPercent: 20,
  requestEveryMs: 300,
  deadAfterMs: 10_000,
});

async function operated(seed: number, options: Partial<SimOptions>): Promise<OperatorCounts> {
  const counts = { drains: 0, undrains: 0, removals: 0, joins: 0, refused: 0 };
  const result = await runSeed(seed, { options, operator: cluster => operate(cluster, counts) });
  if (result.verdict !== 'ok') {
    throw new Error(
      [
        `seed ${seed}: ${result.verdict}: ${result.message}`,
        JSON.stringify(counts),
        ...result.last.slice(-60),
        ...result.state,
      ].join('\n'),
    );
  }
  return counts;
}

// With the seeds that failed once: a removed replica that never heard of it (1), a node removed
// before it had followed the registry (16), a seat that two groups exchanged for ever (31).
test.each([
  ['no faults', [31], []],
  ['crashes and partitions', [1], ['crash', 'powerLoss', 'partition', 'pause', 'stop']],
  ['disks that are lost', [16], ['crash', 'wipe', 'oneWay', 'transfer']],
] satisfies [string, number[], FaultKind[]][])(
  'nodes come and go under %s, and nothing is lost',
  { timeout },
  async (_what, kept, faults) => {
    const total = { drains: 0, undrains: 0, removals: 0, joins: 0, refused: 0 };
    const drawn = Array.from({ length: seeds }, (_, position) => position + 1);
    for (const seed of new Set([...drawn, ...kept])) {
      const counts = await operated(seed, circumstances(faults));
      for (const kind of Object.keys(total) as (keyof OperatorCounts)[])
        total[kind] += counts[kind];
    }
    expect(total.drains).toBeGreaterThan(seeds / 2);
    expect(total.removals).toBeGreaterThan(seeds / 4);
    expect(total.joins).toBeGreaterThan(seeds / 2);
  },
);
