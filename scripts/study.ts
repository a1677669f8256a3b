/**
 * `npm run study`: how good placement is, against a scheduler that knows everything. A simulated
 * cluster of the real code (`study/`), in virtual time. Exit code 0 if all goals were met, 1 if
 * not, 2 for wrong usage.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readOrTell } from './arguments.ts';
import { type Cell, type CellOptions, runCell } from './study/cell.ts';
import { plotOf } from './study/plot.ts';
import { lineOf, missedBy, pageOf, tableOf } from './study/report.ts';

const HELP = `Usage: npm run study -- [--nodes 100,1000] [--loads 0.5,0.8,0.95,1.3]

Places the tasks of a trace (heavy-tailed durations, three tiers, twenty tenants) on a simulated
cluster of the real planner, queues, leaders and workers, and the same trace by one omniscient
queue. A load of 1 or more only shows who is served while there is too much.

  --nodes N,...   sizes; default 100,1000
  --loads L,...   loads of the CPUs; default 0.5,0.8,0.95,1.3
  --span S        virtual seconds in which tasks come; default 26, and 10 from 500 nodes on
  --seed N        of the trace and the cluster; default 1
  --from FILE,... rows that --json wrote before; others are run only where --nodes is given
  --json          the results as JSON
  --write         also as docs/reference/placement.md and placement.svg
  --help          this text

Exit code: 0 all goals met, 1 not, 2 wrong usage.
`;

interface Arguments {
  readonly cells: readonly CellOptions[];
  /** Files with rows that were measured before. */
  readonly from: readonly string[];
  readonly json: boolean;
  readonly write: boolean;
}

function readNumbers(name: string, text: string, accepts: (value: number) => boolean): number[] {
  return text.split(',').map(part => {
    const value = Number(part);
    if (part !== '' && accepts(value)) return value;
    throw new Error(`--${name} takes numbers above 0 with commas between, not ${text}`);
  });
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

function readArguments(argv: readonly string[]): Arguments | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      nodes: { type: 'string' },
      from: { type: 'string' },
      loads: { type: 'string', default: '0.5,0.8,0.95,1.3' },
      span: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const [span] = readNumbers('span', values.span ?? '26', value => value >= 10);
  const spanFor = (nodes: number): number =>
    values.span === undefined && nodes >= 500 ? 10 : span!;
  const [seed] = readNumbers('seed', values.seed, isCount);
  const from = values.from?.split(',') ?? [];
  const nodes = values.nodes ?? (from.length > 0 ? undefined : '100,1000');
  const sizes = nodes === undefined ? [] : readNumbers('nodes', nodes, isCount);
  const loads = readNumbers('loads', values.loads, value => value > 0 && value < 10);
  const cells = sizes.flatMap(nodes =>
    loads.map(load => ({ nodes, load, seed: seed!, spanMs: spanFor(nodes) * 1_000 })),
  );
  return { cells, from, json: values.json, write: values.write };
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const asked = readOrTell(() => readArguments(argv), HELP);
  if ('code' in asked) return asked.code;
  const { cells: wanted, from, json, write } = asked.wanted;
  const cells = from.flatMap(file => JSON.parse(readFileSync(file, 'utf8')) as Cell[]);
  for (const options of wanted) {
    const cell = await runCell(options);
    cells.push(cell);
    process.stderr.write(`${lineOf(cell)}\n`);
  }
  cells.sort((left, right) => left.nodes - right.nodes || left.load - right.load);
  print(json ? JSON.stringify(cells, undefined, 2) : tableOf(cells));
  const missed = missedBy(cells);
  if (!json) for (const goal of missed) print(`missed: ${goal}`);
  if (write) {
    const at = (name: string): string =>
      fileURLToPath(new URL(`../docs/reference/${name}`, import.meta.url));
    writeFileSync(at('placement.md'), pageOf(cells));
    writeFileSync(at('placement.svg'), plotOf(cells));
  }
  return missed.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
