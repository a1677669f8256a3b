/**
 * `npm run sim -- --schedules 1000 --days 365`: schedules of each minute for a year of virtual
 * time, with another leader again and again, and looks whether each minute of each fired once
 * (`test/simulation/firings/`). Exit code 0 if so, 2 for wrong usage, 129 if not.
 */
import { parseArgs } from 'node:util';
import { limits } from '../../src/model/limits.ts';
import { Minutely, type MinutelyCounts } from '../../test/simulation/firings/minutely.ts';
import { Violation } from '../../test/simulation/violation.ts';
import { readOrTell } from '../arguments.ts';

const HELP = `Usage: npm run sim -- --schedules N [--days D] [--part K/M] [--seed S]

Lets N schedules of each minute fire for D days of virtual time: the real rules of a shard, the real
clock of schedules and calendar, no network. Leaders change at any instant, also in the middle of a
proposal; what they said is lost, or comes late or again; clocks are wrong for a while; for up to
three hours nobody leads. Each replica that takes over is made from stored rows and the log. A book
that knows no calendar checks that each minute of each schedule fired once, in order.

  --schedules N  how many, up to ${limits.schedulesPerShardMax}
  --days D       how long; default 365
  --part K/M     of those schedules only every M-th, from the K-th on: run all M parts on as many
                 cores for the whole
  --term M       minutes from one leader to the next, on average; default 60
  --seed S       what happens when; default 1
  --cpu S        end after so many seconds of processor time, and judge what was run
  --seconds S    the same of time that passes
  --json         the result as JSON in the last line
  --help         this text

Exit code: 0 all fired once, 2 wrong usage, 129 something fired twice, or not at all.
`;

interface Arguments {
  readonly schedules: readonly number[];
  readonly part: string;
  readonly minutes: number;
  readonly term: number;
  readonly seed: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly json: boolean;
}

function readCount(name: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`--${name} takes a number from 1 to ${max}, not ${text}`);
}

const readBound = (name: string, text: string | undefined): number =>
  text === undefined ? Number.POSITIVE_INFINITY : readCount(name, text, 1e9);

function readPart(text: string): { readonly first: number; readonly step: number } {
  const [, first, step] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const part = { first: Number(first), step: Number(step) };
  if (part.first >= 1 && part.first <= part.step) return part;
  throw new Error(`--part takes K/M with K from 1 to M, such as 1/8, not ${text}`);
}

function readArguments(argv: readonly string[]): Arguments | 'help' {
  // `--schedules --help` asks for this text.
  if (argv.includes('--help') || argv.includes('-h')) return 'help';
  const { values } = parseArgs({
    args: [...argv],
    options: {
      schedules: { type: 'string', default: '1000' },
      days: { type: 'string', default: '365' },
      part: { type: 'string', default: '1/1' },
      term: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      cpu: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const count = readCount('schedules', values.schedules, limits.schedulesPerShardMax);
  const { first, step } = readPart(values.part);
  const schedules = Array.from({ length: count }, (_, number) => number);
  const day = 1_440;
  return {
    schedules: schedules.filter(number => number % step === first - 1),
    part: values.part,
    minutes: readCount('days', values.days, 36_500) * day,
    term: readCount('term', values.term, 365 * day),
    seed: readCount('seed', values.seed, 2 ** 32 - 1),
    cpuSeconds: readBound('cpu', values.cpu),
    seconds: readBound('seconds', values.seconds),
    json: values.json,
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const megabytes = (): number => Math.round(process.memoryUsage.rss() / 1e6);
const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Lines in between are this far apart in time that passes. */
const tellMs = 10_000;
/**
 * The clocks are looked at once in so many minutes: to ask the system takes as long as a minute.
 */
const lookMinutes = 60;

function resultOf(wanted: Arguments, counts: MinutelyCounts, cpu: number): object {
  const perSecond = counts.firings / cpu;
  const allFirings = 1_000 * 525_600;
  return {
    ...{ schedules: wanted.schedules.length, part: wanted.part, seed: wanted.seed },
    ...{ days: round(counts.minutes / 1_440, 2), ...counts },
    ...{ cpuSeconds: round(cpu), firingsPerCpuSecond: Math.round(perSecond), rssMb: megabytes() },
    /** What 1,000 schedules for a year take of one core at this rate. */
    yearOf1000CpuHours: round(allFirings / perSecond / 3_600, 2),
  };
}

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const asked = readOrTell(() => readArguments(argv), HELP);
  if ('code' in asked) return asked.code;
  const { wanted } = asked;
  const { schedules, minutes, seed } = wanted;
  const began = cpuSeconds();
  const beganMs = performance.now();
  let toldMs = beganMs;
  const goesOn = (minute: number, counts: MinutelyCounts): boolean => {
    if (minute % lookMinutes !== 0) return true;
    if (performance.now() - toldMs >= tellMs) {
      toldMs = performance.now();
      const rate = Math.round(counts.firings / (cpuSeconds() - began));
      print(
        `day ${Math.floor(minute / 1_440)} of ${minutes / 1_440}: ${counts.firings} firings ` +
          `(${rate} a second of processor time), ${counts.leaders} leaders, ${megabytes()} MB`,
      );
    }
    const isOver = performance.now() - beganMs >= wanted.seconds * 1_000;
    return !isOver && cpuSeconds() - began < wanted.cpuSeconds;
  };
  const run = new Minutely({ seed, minutes, schedules, termMinutes: wanted.term, goesOn });
  try {
    const counts = await run.run();
    const result = resultOf(wanted, counts, cpuSeconds() - began);
    for (const [name, value] of Object.entries(result)) {
      print(`${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
    }
    print('each minute of each schedule fired once');
    if (wanted.json) print(JSON.stringify(result));
    return 0;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    print(`${error.verdict}: ${error.message}`);
    print(`repeat it with: npm run sim -- ${argv.join(' ')}`);
    return 129;
  }
}
