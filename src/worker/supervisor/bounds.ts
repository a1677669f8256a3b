/**
 * What an attempt may use at most, and how each controller of control groups is told so. Pure.
 */
import { limits } from '../../model/limits.ts';
import { formatSize, type Resources } from '../../model/resources.ts';
import type { Controller } from './own-groups.ts';

export type GroupVersion = 1 | 2;

export interface Bounds {
  /** 0: none. */
  readonly memoryBytes: number;
  /** 0: none. */
  readonly cpuMilli: number;
  /** Its share where CPUs are short: what it holds. */
  readonly heldCpuMilli: number;
  /** Processes and threads. */
  readonly processes: number;
}

/** `cpus` of the machine: a bound that is not below them needs no enforcing. */
export function boundsOf(
  order: { readonly limit: Resources; readonly request: Resources },
  cpus: number,
): Bounds {
  const { memoryBytes, cpuMilli } = order.limit;
  return {
    memoryBytes,
    cpuMilli: cpuMilli >= cpus * 1_000 ? 0 : cpuMilli,
    heldCpuMilli: order.request.cpuMilli,
    processes: limits.attemptProcessesMax,
  };
}

export interface BoundFile {
  readonly name: string;
  readonly text: string;
  /** Written where that was refused; where there is none either, the group is not bounded so. */
  readonly otherwise?: string;
  /** Not every kernel has it, and the bound holds without. */
  readonly optional?: true;
}

const periodUs = 100_000;
const periodUsMax = 1_000_000;
/** Less in a period is refused. */
const quotaUsMin = 1_000;

/** Microseconds of CPU in how many of time. */
function quotaOf(cpuMilli: number): { readonly quotaUs: number; readonly periodUs: number } {
  const quotaUs = Math.round((cpuMilli * periodUs) / 1_000);
  if (quotaUs >= quotaUsMin) return { quotaUs, periodUs };
  const wide = Math.round((quotaUsMin * 1_000) / cpuMilli);
  return { quotaUs: quotaUsMin, periodUs: Math.min(periodUsMax, wide) };
}

/**
 * Swap beside the memory, a page of the largest: with none the kernel would meet the limit of both
 * together first, and newer ones do not count how often they did.
 */
const swapBytes = 65_536;

const between = (least: number, value: number, most: number): number =>
  Math.max(least, Math.min(most, Math.round(value)));

/** Shares of version 1: 1,024 for a CPU. */
export const sharesOf = (cpuMilli: number): number => between(2, cpuMilli * 1.024, 262_144);
/** Weight of cgroup2: 100 for a CPU. */
export const weightOf = (cpuMilli: number): number => between(1, cpuMilli / 10, 10_000);

function memoryFiles(version: GroupVersion, { memoryBytes }: Bounds): readonly BoundFile[] {
  const bound = memoryBytes > 0;
  if (version === 2) {
    return [
      { name: 'memory.max', text: bound ? String(memoryBytes) : 'max' },
      { name: 'memory.swap.max', text: bound ? '0' : 'max', optional: true },
      { name: 'memory.oom.group', text: '1', optional: true },
    ];
  }
  return [
    // With swap it may never be less than without.
    { name: 'memory.memsw.limit_in_bytes', text: '-1', optional: true },
    { name: 'memory.limit_in_bytes', text: bound ? String(memoryBytes) : '-1' },
    {
      name: 'memory.memsw.limit_in_bytes',
      text: bound ? String(memoryBytes + swapBytes) : '-1',
      optional: true,
    },
  ];
}

function cpuFiles(version: GroupVersion, { cpuMilli, heldCpuMilli }: Bounds): readonly BoundFile[] {
  const { quotaUs, periodUs: period } = cpuMilli > 0 ? quotaOf(cpuMilli) : { quotaUs: 0, periodUs };
  if (version === 2) {
    return [
      { name: 'cpu.max', text: `${cpuMilli > 0 ? quotaUs : 'max'} ${period}` },
      { name: 'cpu.weight', text: String(weightOf(heldCpuMilli)) },
    ];
  }
  return [
    { name: 'cpu.cfs_quota_us', text: '-1' },
    { name: 'cpu.cfs_period_us', text: String(period) },
    // More than a group above has is refused, and needs no bound of its own.
    { name: 'cpu.cfs_quota_us', text: cpuMilli > 0 ? String(quotaUs) : '-1', otherwise: '-1' },
    { name: 'cpu.shares', text: String(sharesOf(heldCpuMilli)) },
  ];
}

/** What is written to a group so that it has these bounds, in this order. */
export function boundFiles(
  controller: Controller,
  version: GroupVersion,
  bounds: Bounds,
): readonly BoundFile[] {
  switch (controller) {
    case 'memory':
      return memoryFiles(version, bounds);
    case 'cpu':
      return cpuFiles(version, bounds);
    case 'pids':
      return [{ name: 'pids.max', text: String(bounds.processes) }];
  }
}

/** What a process counts for beside those of others, by how nice it is: as the kernel has it. */
const niceFactor = (nice: number): number => 1.25 ** -nice;

/**
 * The same for all attempts together: beside the node and whatever else its group runs they count
 * as one process on each CPU, as nice as the supervisor was started.
 */
export function baseFile(version: GroupVersion, cpus: number, nice: number): BoundFile {
  const milli = cpus * 1_000 * niceFactor(nice);
  return version === 2
    ? { name: 'cpu.weight', text: String(weightOf(milli)) }
    : { name: 'cpu.shares', text: String(sharesOf(milli)) };
}

/** Said of an attempt that was ended for it. */
export const overMemory = (memoryBytes: number): string =>
  `used more than its memory limit of ${formatSize(memoryBytes)}; --memory asks for more`;

export const memoryRanOut = 'ended by the kernel, as the memory of its node ran out';
