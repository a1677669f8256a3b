import { describe, expect, test } from 'vitest';
import { Cluster, type Tally } from './raft-cluster.ts';

const SEEDS = 200;
const STEPS = 10_000;

describe('a randomised cluster', () => {
  test(`keeps every promise of Raft on ${SEEDS} seeds, and makes progress when faults end`, () => {
    const total: Tally = {
      ...{ committed: 0, leaders: 0, crashes: 0, snapshots: 0, confs: 0, reads: 0 },
    };
    for (let seed = 0; seed < SEEDS; seed++) {
      let tally: Tally;
      try {
        tally = new Cluster(seed).run(STEPS);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error}`, { cause: error });
      }
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key];
    }
    // The runs did meet what they are about.
    expect(total.committed).toBeGreaterThan(SEEDS * 10);
    expect(total.leaders).toBeGreaterThan(SEEDS * 2);
    expect(total.crashes).toBeGreaterThan(SEEDS);
    expect(total.snapshots).toBeGreaterThan(SEEDS / 2);
    expect(total.confs).toBeGreaterThan(SEEDS / 2);
    expect(total.reads).toBeGreaterThan(SEEDS);
  });
});
