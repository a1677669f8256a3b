/**
 * `npm run sim -- --seed N --count M`: runs whole clusters on simulated machines, one for each
 * seed, and stops at the first that breaks a promise. Exit code 0 if all held, 2 for wrong usage,
 * 127 if a node crashed by itself, 128 if something did not happen in time, 129 if something wrong
 * happened. With `--schedules` it is firings alone (`sim/schedules.ts`).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { circumstances, describeOptions, isCircumstances } from '../test/simulation/options.ts';
import { type RunResult, runSeed } from '../test/simulation/run.ts';
import { type KeptSeed, parseSeeds } from '../test/simulation/seeds.ts';
import { readOrTell } from './arguments.ts';

const HELP = `Usage: npm run sim -- [--seed N] [--count M]
       npm run sim -- --schedules 1000 [--days D]

Runs real nodes on a simulated network, disk, clock and supervisor. A seed decides everything: the
size of the cluster, its load, which faults happen and when. The same seed gives the same run.

  --seed N      first seed (1 where --kept is not given)
  --count M     how many seeds, counting up; default 1
  --events E    events of the phase with faults; default drawn from the seed
  --in NAME     in special circumstances: leases, lateFrames, storm, growth,
                shortLogs, rollback, gangs, wide, badLinks, badDisks, ordered
  --kept        the seeds of test/simulation/seeds.txt, which failed once
  --keep-going  do not stop at the first failure
  --quiet       print failures, and one line at the end
  --verbose     print the trace while it happens
  --schedules N schedules of each minute for a year instead: see --schedules --help
  --help        this text

Exit code: 0 all held, 2 wrong usage, 127 a node crashed by itself, 128 something did not happen in
time, 129 something wrong happened; with --keep-going that of the first failure.
`;

const exitCodes = { ok: 0, crash: 127, liveness: 128, correctness: 129 } as const;

interface Arguments {
  readonly seeds: readonly Omit<KeptSeed, 'why'>[];
  readonly keepGoing: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
}

function readCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${name} takes a number from 0 up, not ${text}`);
}

/** What to run, or the text to show instead. */
function readArguments(argv: readonly string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string' },
      count: { type: 'string' },
      events: { type: 'string' },
      in: { type: 'string' },
      kept: { type: 'boolean', default: false },
      'keep-going': { type: 'boolean', default: false },
      quiet: { type: 'boolean', short: 'q', default: false },
      verbose: { type: 'boolean', short: 'v', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const first = readCount('seed', values.seed);
  const count = readCount('count', values.count) ?? 1;
  const kept = values.kept
    ? parseSeeds(readFileSync(new URL('../test/simulation/seeds.txt', import.meta.url), 'utf8'))
    : [];
  const from = first ?? (values.kept ? undefined : 1);
  const events = readCount('events', values.events);
  const where = values.in;
  if (where !== undefined && !isCircumstances(where)) {
    throw new Error(`--in takes one of ${Object.keys(circumstances).join(', ')}, not ${where}`);
  }
  const drawn =
    from === undefined
      ? []
      : Array.from({ length: count }, (_, at) => ({ seed: from + at, events, in: where }));
  return {
    seeds: [...kept, ...drawn],
    keepGoing: values['keep-going'],
    verbose: values.verbose,
    quiet: values.quiet,
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function report(result: RunResult, spentMs: number, wanted: Omit<KeptSeed, 'why'>): void {
  const { options, verdict, committed, starts, acknowledged, operations } = result;
  const rate = Math.round((result.events / Math.max(1, spentMs)) * 1_000);
  print(
    `seed ${options.seed}: ${verdict}, ${result.events} events (${rate}/s) in ` +
      `${(result.virtualMs / 1_000).toFixed(1)} virtual seconds, ${committed} entries committed, ` +
      `${acknowledged} tasks acknowledged, ${starts} processes, ${operations} operations in ` +
      `sequence, trace ${result.hash.toString(16)}`,
  );
  if (verdict === 'ok') return;
  print('');
  for (const line of result.last) print(line);
  print('');
  for (const line of result.state) print(line);
  print('');
  print(`${verdict}: ${result.message}`);
  const length = wanted.events === undefined ? '' : ` --events ${wanted.events}`;
  const where = wanted.in === undefined ? '' : ` --in ${wanted.in}`;
  print(`repeat it with: npm run sim -- --seed ${options.seed}${length}${where} --verbose`);
}

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv.some(word => /^--schedules(=|$)/.test(word))) {
    return (await import('./sim/schedules.ts')).main(argv);
  }
  const asked = readOrTell(() => readArguments(argv), HELP);
  if ('code' in asked) return asked.code;
  const { wanted } = asked;
  const { seeds, keepGoing, verbose, quiet } = wanted;
  let code = 0;
  let failed = 0;
  let runs = 0;
  let events = 0;
  const begunMs = performance.now();
  for (const one of seeds) {
    const startedMs = performance.now();
    const result = await runSeed(one.seed, {
      events: one.events,
      in: one.in,
      begun: quiet ? undefined : options => print(describeOptions(options)),
      echo: verbose ? print : undefined,
    });
    runs++;
    events += result.events;
    if (result.verdict !== 'ok') {
      failed++;
      if (quiet) print(describeOptions(result.options));
    }
    if (!quiet || result.verdict !== 'ok') report(result, performance.now() - startedMs, one);
    if (code === 0) code = exitCodes[result.verdict];
    if (code !== 0 && !keepGoing) break;
  }
  if (quiet) {
    const seconds = Math.round((performance.now() - begunMs) / 1_000);
    print(`${runs} seeds, ${events} events, ${failed} failed, ${seconds} s`);
  }
  return code;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
