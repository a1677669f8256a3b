/**
 * What a node and its supervisor hold now, from outside: `/proc`, the data directory, `/metrics`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { supervisorOf } from '../../src/chaos/processes.ts';
import type { BenchCluster, BenchNode } from '../bench/cluster.ts';
import type { Inspector } from '../bench/inspector.ts';

/** By the names of `bounds`; what could not be read is missing. */
export type Sample = Readonly<Record<string, number>>;

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ESRCH', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** A file or process may go while it is looked at. */
function ifThere<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return otherwise;
    throw error;
  }
}

function statusOf(pid: number): { rss: number; threads: number } {
  const text = ifThere(() => readFileSync(`/proc/${pid}/status`, 'utf8'), '');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rss: field('VmRSS') * 1024, threads: field('Threads') };
}

const fdsOf = (pid: number): number => ifThere(() => readdirSync(`/proc/${pid}/fd`).length, 0);
const sizeOf = (path: string): number => ifThere(() => statSync(path).size, 0);

/** Bytes of the files in a directory, and how many entries it has. */
function directory(path: string, depth: number): { bytes: number; entries: number } {
  let bytes = 0;
  const entries = ifThere(() => readdirSync(path, { withFileTypes: true }), []);
  for (const entry of entries) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) bytes += depth > 0 ? directory(below, depth - 1).bytes : 0;
    else bytes += sizeOf(below);
  }
  return { bytes, entries: entries.length };
}

/** `inspector` where live memory is asked for, which costs the node a collection. */
export async function sampleOf(
  cluster: BenchCluster,
  node: BenchNode,
  inspector: Inspector | undefined,
): Promise<Sample> {
  const { pid } = node.process;
  const metrics = await cluster.metrics(node);
  const memory = await inspector?.memory();
  const supervisor = supervisorOf(node.dir);
  const own = statusOf(pid!);
  const attempts = directory(join(node.dir, 'attempts'), 2);
  const metric = (name: string): number => metrics.get(`tsched_${name}`) ?? 0;
  const sample: Record<string, number> = {
    rss: own.rss,
    threads: own.threads,
    fds: fdsOf(pid!),
    storeBytes: directory(join(node.dir, 'store'), 1).bytes,
    attemptEntries: attempts.entries,
    attemptBytes: attempts.bytes,
    journalBytes: sizeOf(join(node.dir, 'journal')),
    logFileBytes: sizeOf(node.log),
    logBytes: metric('log_bytes'),
    settledKept: metric('tasks_settled'),
    loopLagMs: metric('loop_lag_seconds') * 1_000,
    expired: metric('expired_total'),
    settled: metric('settled_total'),
  };
  if (memory !== undefined) sample['heapLive'] = memory.liveBytes;
  if (supervisor !== undefined) {
    sample['supervisorRss'] = statusOf(supervisor).rss;
    sample['supervisorFds'] = fdsOf(supervisor);
  }
  return sample;
}
