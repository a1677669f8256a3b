/** All mutants; the gate of the simulator is that it finds every one (`npm run sim:mutants`). */
import { faultMutants } from './fault-mutants.ts';
import type { Mutant } from './mutant.ts';
import { nodeMutants } from './node-mutants.ts';
import { raftMutants } from './raft-mutants.ts';
import { taskMutants } from './task-mutants.ts';

export const mutants: readonly Mutant[] = [
  ...raftMutants,
  ...nodeMutants,
  ...taskMutants,
  ...faultMutants,
];
