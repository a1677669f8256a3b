/** The table and the JSON document of a run. */
import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { root } from '../run.ts';
import type { Verdict } from './bars.ts';
import type { MachineLimits } from './machine-limits.ts';
import type { Measured, Row } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { PeerResult, Ratio } from './peers.ts';

export interface Report {
  readonly format: 1;
  readonly at: string;
  readonly tookSeconds: number;
  readonly options: BenchOptions;
  readonly machine: {
    readonly cpus: number;
    readonly cpu: string;
    readonly memoryBytes: number;
    readonly kernel: string;
    readonly node: string;
    readonly filesystem: string;
    readonly commit: string;
  };
  readonly limits: { readonly before: MachineLimits; readonly after: MachineLimits };
  readonly rows: readonly Row[];
  readonly bars: readonly Verdict[];
  readonly measures: Readonly<Record<string, Measured['detail']>>;
  readonly failures: Readonly<Record<string, string>>;
  readonly peers: readonly PeerResult[];
  readonly ratios: readonly Ratio[];
}

const tmpfsMagic = 0x01021994;

function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

export function describeMachine(dir: string): Report['machine'] {
  return {
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    filesystem: statfsSync(dir).type === tmpfsMagic ? 'tmpfs (NOT A DISK)' : 'disk',
    commit: commitOf(),
  };
}

function table(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return lines
    .map(line =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const number = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: 2 });

function limitLines({ before, after }: Report['limits']): string[][] {
  const names: [keyof MachineLimits, string][] = [
    ['fsyncsPerSecond', 'fdatasync of 512-byte appends /s'],
    ['fsyncP99Ms', 'the same, p99 ms'],
    ['tcpEchoesPerSecond', 'TCP echoes of 64 bytes /s'],
    ['spawnsPerSecond', 'Node spawns of /bin/true, 4 at a time /s'],
    ['loopMillionsPerSecond', 'empty loop, million turns /s'],
    ['loadPerCore', 'load per core before'],
  ];
  const lines = names.map(([key, label]) => [label, number(before[key]), number(after[key])]);
  return [['the machine', 'first', 'last'], ...lines];
}

function rowLines(rows: readonly Row[], verdicts: readonly Verdict[]): string[][] {
  const lines = rows.map(row => {
    const verdict = verdicts.find(one => one.row === row.id);
    const judged =
      verdict === undefined ? '' : `${verdict.passed ? 'pass' : 'FALLS SHORT'} (${verdict.bar})`;
    return [row.label, `${number(row.value)} ${row.unit}`, judged, row.note];
  });
  return [['measure', 'value', 'first bar', 'note'], ...lines];
}

function peerText(report: Report): string[] {
  const parts: string[] = [];
  for (const { peer, ok, why } of report.peers) {
    if (!ok) parts.push(`!!! ${peer} WAS NOT MEASURED: ${why} !!!`);
  }
  if (report.ratios.length > 0) {
    const lines = report.ratios.map(ratio => {
      const label = report.rows.find(row => row.id === ratio.row)?.label ?? ratio.row;
      const { peer, ours, theirs, note } = ratio;
      return [label, peer, number(ours), number(theirs), `${number(ratio.ratio)} x`, note];
    });
    parts.push(table([['against', 'peer', 'ours', 'theirs', 'ratio', 'what theirs is'], ...lines]));
  }
  return parts;
}

/** What a person reads. */
export function render(report: Report): string {
  const { machine, options } = report;
  const gib = Math.round(machine.memoryBytes / 1024 ** 3);
  const head =
    `${options.nodes} nodes on ${machine.cpus} x ${machine.cpu}, ${gib} GiB, ` +
    `Node ${machine.node}, commit ${machine.commit}, data on ${machine.filesystem}; ` +
    `${report.tookSeconds} s`;
  const failures = Object.entries(report.failures).map(
    ([name, why]) => `!!! ${name} COULD NOT BE MEASURED: ${why} !!!`,
  );
  const passed = report.bars.filter(bar => bar.passed).length;
  return [
    head,
    table(limitLines(report.limits)),
    table(rowLines(report.rows, report.bars)),
    ...failures,
    ...(report.bars.length === 0 ? [] : [`${passed} of ${report.bars.length} first bars passed`]),
    ...peerText(report),
  ].join('\n\n');
}
