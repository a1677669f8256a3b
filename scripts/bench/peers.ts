/**
 * Peers measured in the same run, by scripts that install, start, measure and stop them and print
 * one line of JSON. Ratios compare the same work as far as there is such; the note says what
 * differs.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from './measure.ts';
import type { BenchOptions, PeerName } from './options.ts';
import { rounded } from './statistics.ts';

const longestMs = 15 * 60_000;

export interface PeerResult {
  readonly peer: PeerName;
  readonly ok: boolean;
  /** What the script told, or why there is nothing. */
  readonly measured?: unknown;
  readonly why?: string | undefined;
}

export interface Ratio {
  readonly row: string;
  readonly peer: PeerName;
  readonly ours: number;
  readonly theirs: number;
  /** Above 1 is in our favour, also where less is better. */
  readonly ratio: number;
  readonly note: string;
}

interface Comparison {
  readonly row: string;
  readonly peer: PeerName;
  /** Path into what the script told. */
  readonly path: readonly string[];
  /** Theirs in the unit of our row. */
  readonly scale?: number | undefined;
  readonly less?: boolean | undefined;
  readonly note: string;
}

const etcdNote = 'puts of 512 bytes under one key, no index and no plan; HTTP/2 load in C';

const comparisons: readonly Comparison[] = [
  { row: 'submits.1', peer: 'etcd', path: ['h2load_leader_c1', 'puts_s'], note: etcdNote },
  { row: 'submits.64', peer: 'etcd', path: ['h2load_leader_c64', 'puts_s'], note: etcdNote },
  { row: 'submits.256', peer: 'etcd', path: ['h2load_leader_c256', 'puts_s'], note: etcdNote },
  {
    row: 'submits.batched',
    peer: 'etcd',
    path: ['node_etcd3_txn64_c8', 'puts_s'],
    note: '64 puts a transaction, 8 under way, from a Node client',
  },
  {
    row: 'failover.median',
    peer: 'etcd',
    path: ['failover_ms', 'med'],
    scale: 0.001,
    less: true,
    note: 'kill -9 of the leader to the next acknowledged put',
  },
  {
    row: 'submits.64',
    peer: 'nats',
    path: ['R3_window64', 'msgs_s'],
    note: 'no fsync before the answer',
  },
  {
    row: 'submits.256',
    peer: 'nats',
    path: ['R3_window256', 'msgs_s'],
    note: 'no fsync before the answer',
  },
  {
    row: 'failover.median',
    peer: 'nats',
    path: ['failover_ms', 'med'],
    scale: 0.001,
    less: true,
    note: 'kill -9 of the leader to the next acknowledged publish',
  },
  {
    row: 'submits.64',
    peer: 'bullmq',
    path: ['aof_always', 'add_c64', 'jobs_s'],
    note: 'one copy, fsync',
  },
  {
    row: 'submits.batched',
    peer: 'bullmq',
    path: ['aof_always', 'addBulk_chunk1000', 'jobs_s'],
    note: 'one copy, fsync, bulks of 1,000',
  },
  {
    row: 'noop.process',
    peer: 'bullmq',
    path: ['aof_always', 'spawn_true_c8', 'jobs_s'],
    note: 'one copy, no supervision, no limits',
  },
  {
    row: 'noop.null',
    peer: 'bullmq',
    path: ['aof_always', 'noop_worker_c50', 'jobs_s'],
    note: 'one copy, fsync',
  },
  {
    row: 'latency.p50',
    peer: 'bullmq',
    path: ['aof_always', 'idle_add_to_start', 'p50_ms'],
    less: true,
    note: 'start of a function, not of a process',
  },
  {
    row: 'submits.64',
    peer: 'beanstalkd',
    path: ['f0', 'put_c64', 'jobs_s'],
    note: 'one copy, fsync each',
  },
  {
    row: 'noop.null',
    peer: 'beanstalkd',
    path: ['f0', 'work_c50', 'jobs_s'],
    note: 'one copy, fsync each',
  },
  { row: 'submits.64', peer: 'gearman', path: ['put_c64', 'jobs_s'], note: 'one copy in memory' },
  {
    row: 'noop.process',
    peer: 'slurm',
    path: ['already_queued', 'complete_s'],
    note: 'no-op jobs, queued before; rate follows declared CPUs',
  },
  {
    row: 'latency.p50',
    peer: 'slurm',
    path: ['idle_submit_to_start_ms', 'med'],
    less: true,
    note: 'sbatch included',
  },
];

/** Runs one peer's script to its end, or tells why not. Never rejects. */
export async function measurePeer(peer: PeerName, options: BenchOptions): Promise<PeerResult> {
  const script = join(options.peersDir, `${peer}.sh`);
  if (!existsSync(script)) return { peer, ok: false, why: `there is no ${script}` };
  const home = join(options.dir, 'tsched-bench-peers');
  await mkdir(home, { recursive: true });
  const child = spawn('bash', [script], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PEERS: home,
      RUNS: String(options.runs),
      SEC: String(options.seconds),
      FO: String(options.kills),
      ...(options.quick ? { N: '300' } : {}),
    },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2_000);
  });
  // The script ends what it started when it is asked to end.
  const timer = setTimeout(() => child.kill('SIGTERM'), longestMs);
  const interrupt = (): void => void child.kill('SIGTERM');
  process.once('SIGINT', interrupt);
  const code = await new Promise<number | null>(resolve => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  clearTimeout(timer);
  process.off('SIGINT', interrupt);
  const last = output.trim().split('\n').pop() ?? '';
  try {
    const measured = JSON.parse(last) as { error?: string };
    if (code === 0 && measured.error === undefined) return { peer, ok: true, measured };
    return { peer, ok: false, measured, why: measured.error ?? `its script ended with ${code}` };
  } catch {
    const why = errors.trim().split('\n').slice(-3).join(' / ');
    return { peer, ok: false, why: `its script ended with ${code}: ${why || 'no output'}` };
  }
}

function at(value: unknown, path: readonly string[]): number | undefined {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === 'number' ? found : undefined;
}

/** Every comparison that both sides have a figure for. */
export function ratiosOf(rows: readonly Row[], peers: readonly PeerResult[]): Ratio[] {
  const ratios: Ratio[] = [];
  for (const { row, peer, path, scale, less, note } of comparisons) {
    const ours = rows.find(one => one.id === row)?.value;
    const told = at(peers.find(one => one.peer === peer && one.ok)?.measured, path);
    if (ours === undefined || told === undefined) continue;
    const theirs = rounded(told * (scale ?? 1), 3);
    const ratio = rounded(less === true ? theirs / ours : ours / theirs, 2);
    ratios.push({ row, peer, ours, theirs, ratio, note });
  }
  return ratios;
}
