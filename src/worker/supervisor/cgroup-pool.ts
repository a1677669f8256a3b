/**
 * Control groups for attempts, one each while it runs. An empty one is used again: making and
 * removing groups costs the kernel far more than it shows (each leaves work for its threads
 * behind), so what an attempt used is the difference of the group's counters.
 */
import { join } from 'node:path';
import {
  type CgroupUsage,
  cgroupUsage,
  createCgroup,
  hasChildGroups,
  removeCgroup,
} from './cgroup.ts';

export interface PooledCgroup {
  readonly path: string;
  /** Counters of the attempts that had it before. */
  readonly before: CgroupUsage;
}

/** Empty groups kept ready. */
const spareMax = 256;

const unused: CgroupUsage = {
  userCpuMs: 0,
  systemCpuMs: 0,
  peakMemoryBytes: undefined,
};

export class CgroupPool {
  readonly base: string;
  /** Memory is accounted: a group's peak cannot be reset, so none is used twice. */
  readonly memory: boolean;
  readonly #spare: PooledCgroup[] = [];
  #made = 0;

  constructor(base: string, memory: boolean) {
    this.base = base;
    this.memory = memory;
  }

  take(): PooledCgroup {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const path = join(this.base, `attempt-${++this.#made}`);
    createCgroup(path);
    return { path, before: unused };
  }

  /** Takes an empty group back; returns what its last attempt has used. */
  give(group: PooledCgroup): CgroupUsage {
    const { path, before } = group;
    const total = cgroupUsage(path, this.memory);
    const reusable = !this.memory && this.#spare.length < spareMax;
    if (reusable && !hasChildGroups(path)) this.#spare.push({ path, before: total });
    else removeCgroup(path);
    return {
      ...total,
      userCpuMs: total.userCpuMs - before.userCpuMs,
      systemCpuMs: total.systemCpuMs - before.systemCpuMs,
    };
  }
}
