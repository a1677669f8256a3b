/**
 * `npm run sim:mutants`: plants known bugs into the program, one in each process, and lets the
 * simulator look for them. What it does not find within 2,000 seeds or the time given, it would not
 * find in the program either. Exit code 0 if all were found, 1 if not, 2 for wrong usage.
 */
import { parseArgs } from 'node:util';
import { keepFound, readFound } from '../test/simulation/mutants/found.ts';
import type { Hunt } from '../test/simulation/mutants/hunt.ts';
import { seedsMax } from '../test/simulation/mutants/mutant.ts';
import { mutants } from '../test/simulation/mutants/mutants.ts';
import { runHunt } from '../test/simulation/mutants/run-hunt.ts';
import { readOrTell } from './arguments.ts';

const HELP = `Usage: npm run sim:mutants -- [--only NAME]... [--seconds S] [--jobs J]

Puts known bugs into the program, each alone and only in memory, and runs seeds until the simulator
finds it: first the seed that found it before, then 1 and up. The bugs are data, in
test/simulation/mutants; the seeds that found them are kept in found.json there.

  --only NAME   this bug; may be given several times; default all
  --missing     those that no kept seed finds
  --seconds S   time for each bug, seconds; default 300; at most ${seedsMax} seeds
  --jobs J      processes at a time; default 1
  --list        name the bugs, with what is wrong, and end
  --help        this text

Exit code: 0 all were found, 1 some were not, 2 wrong usage.
`;

interface Arguments {
  readonly names: readonly string[];
  readonly seconds: number;
  readonly jobs: number;
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} takes a number above 0, not ${text}`);
}

function readArguments(argv: readonly string[]): Arguments | 'help' | 'list' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      missing: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '300' },
      jobs: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  const all = mutants.map(mutant => mutant.name);
  for (const name of values.only ?? []) {
    if (!all.includes(name)) throw new Error(`there is no mutant ${name}; --list names them`);
  }
  const kept = new Set(readFound().map(found => found.name));
  const names = values.only ?? all.filter(name => !values.missing || !kept.has(name));
  return {
    names,
    seconds: readNumber('seconds', values.seconds),
    jobs: readNumber('jobs', values.jobs),
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function row({ name, seed, seeds, seconds, verdict, message }: Hunt): string {
  const found = seed === undefined ? 'not found' : `seed ${seed}`;
  const effort = `${seeds} run, ${seconds} s`;
  return [name.padEnd(36), found.padEnd(11), effort.padEnd(20), verdict ?? '', message ?? '']
    .join(' ')
    .trimEnd();
}

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const asked = readOrTell(() => readArguments(argv), HELP);
  if ('code' in asked) return asked.code;
  const { wanted } = asked;
  if (wanted === 'list') {
    for (const { name, sentence } of mutants) print(`${name.padEnd(36)} ${sentence}`);
    return 0;
  }
  const { seconds, jobs } = wanted;
  const before = new Map(readFound().map(found => [found.name, found.seed]));
  const names = [...wanted.names];
  const hunts: Hunt[] = [];
  const worker = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const seed = before.get(name);
      const hunt = await runHunt(name, seconds, seed === undefined ? [] : [seed]);
      hunts.push(hunt);
      keepFound([hunt]);
      print(row(hunt));
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  const found = hunts.filter(hunt => hunt.seed !== undefined).length;
  print(`${found} of ${hunts.length} found`);
  return found === hunts.length ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
