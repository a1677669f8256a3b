/**
 * `npm run soak -- --minutes N`: simulates seed after seed, plain ones and each of the special
 * circumstances in turn, for as long as it is told to. Failing seeds are printed when they happen
 * and again at the end. With `--cluster` it is real nodes instead (`soak/cluster.ts`). Exit code 0
 * if all held, 1 if not, 2 for wrong usage.
 */
import { parseArgs } from 'node:util';
import { type Circumstances, circumstances, isCircumstances } from '../test/simulation/options.ts';
import { runSeed } from '../test/simulation/run.ts';
import { readOrTell } from './arguments.ts';

const HELP = `Usage: npm run soak -- --minutes N [--seed S]
       npm run soak -- --cluster [--minutes N] [--report DIR]

Simulates clusters for a long time: each seed once as drawn and once in one of the special
circumstances, taken in turn. A line a minute says how far it is and what memory it holds.

  --minutes N   how long; default 60
  --seed S      first seed; default 1000001, behind those that tests run
  --events E    events of the phase with faults; default drawn from the seed
  --cluster     real nodes under steady load instead: see --cluster --help
  --help        this text

Exit code: 0 all held, 1 some did not, 2 wrong usage.
`;

interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  readonly events: number | undefined;
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} takes a number above 0, not ${text}`);
}

function readArguments(argv: readonly string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1000001' },
      events: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    minutes: readNumber('minutes', values.minutes),
    seed: Math.floor(readNumber('seed', values.seed)),
    events: values.events === undefined ? undefined : readNumber('events', values.events),
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const megabytes = (): number => Math.round(process.memoryUsage.rss() / 1e6);

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--cluster')) return (await import('./soak/cluster.ts')).main(argv);
  const asked = readOrTell(() => readArguments(argv), HELP);
  if ('code' in asked) return asked.code;
  const { wanted } = asked;
  const names = Object.keys(circumstances).filter(isCircumstances);
  const startedMs = performance.now();
  const minutes = (): number => (performance.now() - startedMs) / 60_000;
  const failures: string[] = [];
  let runs = 0;
  let events = 0;
  let told = 0;
  const one = async (seed: number, name: Circumstances | undefined): Promise<void> => {
    const result = await runSeed(seed, { in: name, events: wanted.events });
    runs++;
    events += result.events;
    if (result.verdict === 'ok') return;
    const where = name === undefined ? '' : ` --in ${name}`;
    const length = wanted.events === undefined ? '' : ` --events ${wanted.events}`;
    const line = `npm run sim -- --seed ${seed}${length}${where}`;
    failures.push(`${line}    ${result.verdict}: ${result.message.split('\n')[0]}`);
    print(failures.at(-1)!);
  };
  for (let seed = wanted.seed; minutes() < wanted.minutes; seed++) {
    await one(seed, undefined);
    if (minutes() < wanted.minutes) await one(seed, names[seed % names.length]);
    if (minutes() < told + 1) continue;
    told = Math.floor(minutes());
    print(
      `${told} min: ${runs} runs, ${events} events, ${failures.length} failed, ${megabytes()} MB`,
    );
  }
  print(`${runs} runs, ${events} events, ${failures.length} failed, ${megabytes()} MB`);
  for (const failure of failures) print(failure);
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
