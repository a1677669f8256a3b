/**
 * `npm run soak -- --cluster`: three real nodes under a steady, mixed load, with a history short
 * enough that tasks leave it all the time; every ten seconds what each node holds is written down,
 * and in the end judged: memory, files and threads flat, disk and logs bounded, every acknowledged
 * task settled. Exit code 0 if all held, 1 if not, 2 for wrong usage.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readOrTell } from '../arguments.ts';
import { BenchCluster, type BenchNode, stopAll } from '../bench/cluster.ts';
import { Inspector } from '../bench/inspector.ts';
import { main as build, isStale } from '../build.ts';
import { root } from '../run.ts';
import { bounds, judge, warmUpMs } from './judge.ts';
import { Load } from './load.ts';
import { pointsOf, renderTable, sumsOf, type Taken, writeReport } from './report.ts';
import { sampleOf } from './sample.ts';

const help = `Usage: npm run soak -- --cluster [--minutes N] [--report DIR]

Nodes of the compiled program under steady load, sampled and judged. What is judged is in
scripts/soak/judge.ts; the first half of the run, 30 minutes at most, is left out. A run of few
minutes shows that all works; what it says of growth in an hour is a guess.

  --minutes N     how long; default 60
  --nodes N       how many; default 3
  --shards N      a power of two; default 2, so that logs reach their bound within minutes
  --rate N        tasks a second; default 72
  --history AGE   history.maxAge of the cluster; default 5m
  --count N       history.maxCount; default 10000
  --restarts      a node is restarted in order every ten minutes
  --report DIR    where soak.json, samples.csv, soak.svg and table.txt go; default soak-report
  --dir DIR       where the nodes keep their data; default the system's temporary directory
  --help          this text

Exit code: 0 all held, 1 some did not, 2 wrong usage.
`;

const sampleEveryMs = 10_000;
/** Live memory costs the node a collection: every so many samples. */
const memoryEvery = 6;
const restartEveryMs = 600_000;
const settlePatienceMs = 120_000;

interface Options {
  readonly minutes: number;
  readonly nodes: number;
  readonly shards: number;
  readonly rate: number;
  readonly history: string;
  readonly count: string;
  readonly restarts: boolean;
  readonly report: string;
  readonly dir: string;
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} takes a number above 0, not ${text}`);
}

function readOptions(argv: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      cluster: { type: 'boolean', default: true },
      minutes: { type: 'string', default: '60' },
      nodes: { type: 'string', default: '3' },
      shards: { type: 'string', default: '2' },
      rate: { type: 'string', default: '72' },
      history: { type: 'string', default: '5m' },
      count: { type: 'string', default: '10000' },
      restarts: { type: 'boolean', default: false },
      report: { type: 'string', default: join(root, 'soak-report') },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    ...values,
    minutes: readNumber('minutes', values.minutes),
    nodes: Math.floor(readNumber('nodes', values.nodes)),
    shards: Math.floor(readNumber('shards', values.shards)),
    rate: Math.floor(readNumber('rate', values.rate)),
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

class Soak {
  readonly #cluster: BenchCluster;
  readonly #options: Options;
  readonly #load: Load;
  readonly #inspectors = new Map<BenchNode, Inspector>();
  readonly #beganMs = performance.now();
  readonly taken: Taken[] = [];
  readonly #failures: string[] = [];
  #restarting: BenchNode | undefined;
  #rounds = 0;

  constructor(cluster: BenchCluster, options: Options) {
    this.#cluster = cluster;
    this.#options = options;
    this.#load = new Load(cluster, options.rate);
  }

  get #ms(): number {
    return performance.now() - this.#beganMs;
  }

  async run(): Promise<boolean> {
    const { minutes, restarts } = this.#options;
    const lengthMs = minutes * 60_000;
    for (const node of this.#cluster.nodes) {
      this.#inspectors.set(node, await Inspector.open(node));
    }
    this.#load.start();
    const restarting = restarts ? this.#restart(lengthMs) : Promise.resolve();
    while (this.#ms < lengthMs) {
      const dueMs = this.#ms + sampleEveryMs;
      await this.#sample();
      await delay(Math.max(0, dueMs - this.#ms));
    }
    await restarting;
    await this.#load.stop(settlePatienceMs);
    return await this.#judge();
  }

  async #sample(): Promise<void> {
    const withMemory = this.#rounds % memoryEvery === 0;
    for (const node of this.#cluster.nodes) {
      if (node === this.#restarting) continue;
      const atMs = this.#ms;
      const inspector = withMemory ? this.#inspectors.get(node) : undefined;
      try {
        const sample = await sampleOf(this.#cluster, node, inspector);
        this.taken.push({ atMs, round: this.#rounds, node: node.name, sample });
      } catch (error) {
        if (node === this.#restarting) continue;
        this.#failures.push(`${node.name} could not be looked at: ${String(error)}`);
      }
    }
    if (this.#rounds++ % memoryEvery === 0) this.#tell();
  }

  #tell(): void {
    const { acknowledged, settled, refused, unknown } = this.#load.counts;
    const now = this.#cluster.nodes.map(({ name }) => {
      const last = this.taken.filter(one => one.node === name).at(-1)?.sample;
      return `${Math.round((last?.['rss'] ?? 0) / 1e6)} MB ${last?.['fds']} fds`;
    });
    print(
      `${(this.#ms / 60_000).toFixed(1)} min: ${acknowledged} acknowledged, ${settled} settled, ` +
        `${refused} refused, ${unknown} unknown; ${now.join(', ')}`,
    );
  }

  /** One node after the other, in order, each on the data it has. */
  async #restart(lengthMs: number): Promise<void> {
    const { nodes } = this.#cluster;
    for (let turn = 0; ; turn++) {
      const dueMs = (turn + 1) * restartEveryMs;
      if (dueMs + 120_000 > lengthMs) return;
      await delay(Math.max(0, dueMs - this.#ms));
      const node = nodes[turn % nodes.length]!;
      this.#restarting = node;
      this.#inspectors.get(node)?.close();
      this.#inspectors.delete(node);
      const gone = new Promise(resolve => node.process.once('exit', resolve));
      node.process.kill('SIGTERM');
      await gone;
      await this.#cluster.restart(node);
      this.#inspectors.set(node, await Inspector.open(node));
      this.#restarting = undefined;
      print(`${(this.#ms / 60_000).toFixed(1)} min: ${node.name} was restarted`);
    }
  }

  async #judge(): Promise<boolean> {
    const { counts, lost, open, reconnects, refusals } = this.#load;
    const failures = this.#failures;
    if (counts.acknowledged === 0) failures.push('no task was acknowledged');
    if (refusals.size > 0) failures.push(`submits were refused: ${[...refusals].join()}`);
    if (lost.length > 0)
      failures.push(`${lost.length} tasks were lost: ${lost.slice(0, 5).join()}`);
    if (open > 0) failures.push(`${open} acknowledged tasks did not settle`);
    const expired = this.#sum('expired');
    if (expired === 0) failures.push('no task left the history');
    for (const node of this.#cluster.nodes) {
      const { exitCode, signalCode } = node.process;
      if (exitCode !== null || signalCode !== null) failures.push(`${node.name} ended by itself`);
    }
    const warmUp = warmUpMs(this.#options.minutes * 60_000);
    const judged = this.taken.filter(({ atMs }) => atMs >= warmUp);
    const names = this.#cluster.nodes.map(({ name }) => name);
    const verdicts = bounds.flatMap(bound =>
      bound.of === 'cluster'
        ? [judge(bound, 'all', sumsOf(judged, names.length, bound.figure))]
        : names.map(name => judge(bound, name, pointsOf(judged, name, bound.figure))),
    );
    const ok = failures.length === 0 && verdicts.every(verdict => verdict.ok);
    const report = {
      ...({ format: 1, at: new Date().toISOString(), ok, minutes: this.#options.minutes } as const),
      warmUpMinutes: warmUp / 60_000,
      options: this.#options,
      counts: { ...counts, expired, reconnects, lost: lost.length, open },
      ...{ failures, verdicts },
    };
    await writeReport(this.#options.report, report, this.taken);
    print(`\n${renderTable(verdicts)}\n`);
    print(
      Object.entries(report.counts)
        .map(([name, count]) => `${name} ${count}`)
        .join(', '),
    );
    for (const failure of failures) print(failure);
    print(`${ok ? 'all held' : 'SOME DID NOT HOLD'}; ${this.#options.report}`);
    return ok;
  }

  /** Of the last samples of all nodes. */
  #sum(figure: string): number {
    return this.#cluster.nodes.reduce((sum, { name }) => {
      const last = this.taken.filter(one => one.node === name).at(-1);
      return sum + (last?.sample[figure] ?? 0);
    }, 0);
  }
}

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const asked = readOrTell(() => readOptions(argv), help);
  if ('code' in asked) return asked.code;
  const { wanted } = asked;
  if (await isStale()) {
    const code = await build([]);
    if (code !== 0) return code;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stopAll().finally(() => process.exit(130)));
  }
  try {
    const program = join(root, 'dist/cli/run.js');
    const cluster = await BenchCluster.start({
      ...{ program, dir: wanted.dir, nodes: wanted.nodes, cpus: 16, shards: wanted.shards },
    });
    await cluster.call('/v1/cluster/settings', {
      'history.maxAge': wanted.history,
      'history.maxCount': wanted.count,
    });
    print(`${wanted.nodes} nodes run; ${wanted.minutes} minutes`);
    return (await new Soak(cluster, wanted).run()) ? 0 : 1;
  } finally {
    await stopAll();
  }
}
