/**
 * `npm run bench`: what a cluster of real node processes on this machine does a second, and how
 * long it takes. Prints a table and one JSON document; how to read them is in
 * docs/guides/benchmarks.md.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judge } from './bench/bars.ts';
import { BenchCluster, idleCpus, stopAll } from './bench/cluster.ts';
import { measureMachine } from './bench/machine-limits.ts';
import type { BenchContext, Measure, Measured, Row } from './bench/measure.ts';
import { measureCli } from './bench/measures/cli.ts';
import { measureFailover } from './bench/measures/failover.ts';
import { measureLatency } from './bench/measures/latency.ts';
import { measureMemory } from './bench/measures/memory.ts';
import { measureNoop } from './bench/measures/noop.ts';
import { measureRest } from './bench/measures/rest.ts';
import { measureScale } from './bench/measures/scale.ts';
import { measureSubmits } from './bench/measures/submits.ts';
import {
  type BenchOptions,
  help,
  type MeasureName,
  readOptions,
  UsageError,
} from './bench/options.ts';
import { measurePeer, type PeerResult, ratiosOf } from './bench/peers.ts';
import { profiler } from './bench/profile.ts';
import { describeMachine, type Report, render } from './bench/report.ts';
import { main as build, isStale } from './build.ts';
import { root } from './run.ts';

const measures: Record<MeasureName, Measure> = {
  rest: measureRest,
  cli: measureCli,
  latency: measureLatency,
  noop: measureNoop,
  submits: measureSubmits,
  failover: measureFailover,
  memory: measureMemory,
  scale: measureScale,
};

const print = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Measures that share one cluster and leave it as they found it; the others start their own. */
const idleMeasures: ReadonlySet<MeasureName> = new Set(['rest', 'cli', 'latency', 'noop']);

class IdleCluster {
  readonly #options: BenchOptions;
  #cluster: Promise<BenchCluster> | undefined;

  constructor(options: BenchOptions) {
    this.#options = options;
  }

  get(): Promise<BenchCluster> {
    this.#cluster ??= BenchCluster.start({ ...this.#options, cpus: idleCpus });
    return this.#cluster;
  }

  async stop(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await (await cluster)?.stop();
  }
}

function contextOf(options: BenchOptions, idle: IdleCluster): BenchContext {
  const { profile } = options;
  return {
    options,
    idleCluster: () => idle.get(),
    progress: line => print(`  ${line}`),
    profiled: profile === undefined ? (_cluster, _label, work) => work() : profiler(profile, print),
  };
}

async function measureAll(options: BenchOptions): Promise<Report> {
  const beganMs = performance.now();
  const idle = new IdleCluster(options);
  const context = contextOf(options, idle);
  const limitMs = options.quick ? 500 : 1_000;
  const at = new Date().toISOString();
  print('limits of the machine');
  const before = await measureMachine(options.dir, limitMs);
  const rows: Row[] = [];
  const details: Record<string, Measured['detail']> = {};
  const failures: Record<string, string> = {};
  for (const name of options.only) {
    print(name);
    try {
      if (!idleMeasures.has(name)) await idle.stop();
      const measured = await measures[name](context);
      rows.push(...measured.rows);
      details[name] = measured.detail;
    } catch (error) {
      failures[name] = error instanceof Error ? error.message : String(error);
      print(`  could not be measured: ${failures[name]}`);
    }
  }
  await idle.stop();
  const peers: PeerResult[] = [];
  for (const peer of options.against) {
    print(`${peer}, by ${options.peersDir}`);
    peers.push(await measurePeer(peer, options));
  }
  print('limits of the machine');
  const after = await measureMachine(options.dir, limitMs);
  return {
    format: 1,
    at,
    tookSeconds: Math.round((performance.now() - beganMs) / 1_000),
    options,
    machine: describeMachine(options.dir),
    limits: { before, after },
    rows,
    bars: rows.map(judge).filter(verdict => verdict !== undefined),
    measures: details,
    failures,
    peers,
    ratios: ratiosOf(rows, peers),
  };
}

/** Ends every process of the benchmarks when this one is told to end. */
function stopOnSignals(): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      print('stopping');
      stopAll().then(
        () => process.exit(130),
        (error: unknown) => {
          print(`error: ${String(error)}`);
          process.exit(1);
        },
      );
    });
  }
}

/** Exit code: 1 where a measure could not be made; a bar that is not met fails nothing. */
export async function main(argv: readonly string[]): Promise<number> {
  let options: BenchOptions | undefined;
  try {
    options = readOptions(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    print(`${error.message}\n\n${help}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  if (options.program === join(root, 'dist/cli/run.js') && (await isStale())) {
    print('building');
    const code = await build([]);
    if (code !== 0) return code;
  }
  stopOnSignals();
  try {
    const report = await measureAll(options);
    process.stdout.write(`\n${render(report)}\n`);
    const document = `${JSON.stringify(report, null, 2)}\n`;
    if (options.json === undefined) process.stdout.write(`\n${document}`);
    else await writeFile(options.json, document);
    return Object.keys(report.failures).length === 0 ? 0 : 1;
  } finally {
    await stopAll();
  }
}
