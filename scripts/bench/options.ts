/** The options of `npm run bench`, and how much a quick run does of everything. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../run.ts';

export const measureNames = [
  'rest',
  'cli',
  'latency',
  'noop',
  'submits',
  'failover',
  'memory',
  'scale',
] as const;
export type MeasureName = (typeof measureNames)[number];

/** Takes as long as all the others together; measured where it is named. */
const onlyWhereNamed: ReadonlySet<MeasureName> = new Set(['scale']);

export const peerNames = ['etcd', 'nats', 'bullmq', 'beanstalkd', 'gearman', 'slurm'] as const;
export type PeerName = (typeof peerNames)[number];

export interface BenchOptions {
  readonly only: readonly MeasureName[];
  /** Length of one run of a submit measure, without its warm-up. */
  readonly seconds: number;
  /** Runs of each measure; medians are told. */
  readonly runs: number;
  readonly nodes: number;
  /** Where the JSON document goes; standard output where it is left out. */
  readonly json: string | undefined;
  readonly against: readonly PeerName[];
  readonly peersDir: string;
  /** The program that is measured. */
  readonly program: string;
  /** Below it the data directories are made; must be on a real disk. */
  readonly dir: string;
  /** Where CPU profiles are written; none are made where it is left out. */
  readonly profile: string | undefined;
  readonly quick: boolean;
  /** Nodes killed in the failover measure, one after the other. */
  readonly kills: number;
  /** Waiting tasks of the memory measure. */
  readonly waiting: number;
  /** Waiting tasks of the scale measure. */
  readonly million: number;
  /** Tasks of one run with the process runner and with the null runner. */
  readonly processTasks: number;
  readonly nullTasks: number;
  readonly latencyTasks: number;
}

export const help = `Usage: npm run bench -- [flags] [NAME..]

Measures three real node processes on this machine: replication 3, fsync on, over libp2p and HTTP.

  NAME, --only NAME,..
                     ${measureNames.join(', ')};
                     all but scale, a million waiting tasks, where none is named
  --seconds N        length of one submit run (4)
  --runs N           runs of each measure; medians are told (3)
  --nodes N          node processes (3)
  --json FILE        write the JSON document there in place of standard output
  --against NAME,..  measure peers in the same run: ${peerNames.join(', ')}
  --peers DIR        scripts of the peers (../shared/peers)
  --dir DIR          where data directories are made (the system's temporary directory)
  --profile DIR      write CPU profiles of the nodes there and tell what costs most
  --program FILE     the program to measure (dist/cli/run.js, built where it is out of date)
  --quick            less of everything, under 90 s
  --help             this text

Bars are told as passed or fallen short; the exit code is 0 either way, 1 where a measure could not
be made, 2 for wrong usage.
`;

export class UsageError extends Error {}

function names<T extends string>(flag: string, text: string | undefined, known: readonly T[]): T[] {
  if (text === undefined) return [];
  return text.split(',').map(name => {
    const found = known.find(one => one === name.trim());
    if (found === undefined) {
      throw new UsageError(`--${flag}: ${name} is not one of ${known.join(', ')}`);
    }
    return found;
  });
}

function count(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${flag} ${text} is no count`);
  return value;
}

/** Reads the flags; `undefined` where only the help was asked for. Throws `UsageError`. */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const text = { type: 'string' } as const;
  const options = {
    only: text,
    seconds: text,
    runs: text,
    nodes: text,
    json: text,
    against: text,
    peers: text,
    dir: text,
    profile: text,
    program: text,
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  const { values, positionals } = (() => {
    try {
      return parseArgs({ args: [...argv], options, allowPositionals: true });
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
  })();
  if (values.help) return undefined;
  const { quick } = values;
  const named = [values.only ?? [], positionals].flat().join(',');
  const only = names('only', named === '' ? undefined : named, measureNames);
  return {
    only: only.length > 0 ? only : measureNames.filter(name => !onlyWhereNamed.has(name)),
    seconds: count('seconds', values.seconds, quick ? 2 : 4),
    runs: count('runs', values.runs, quick ? 1 : 3),
    nodes: count('nodes', values.nodes, 3),
    json: values.json,
    against: names('against', values.against, peerNames),
    peersDir: values.peers ?? join(root, '../shared/peers'),
    program: values.program ?? join(root, 'dist/cli/run.js'),
    dir: values.dir ?? tmpdir(),
    profile: values.profile,
    quick,
    kills: quick ? 2 : 5,
    waiting: quick ? 30_000 : 100_000,
    million: quick ? 100_000 : 1_000_000,
    processTasks: quick ? 500 : 1_500,
    nullTasks: quick ? 2_000 : 6_000,
    latencyTasks: quick ? 20 : 50,
  };
}
