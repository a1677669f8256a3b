/** The report of a soak: a table, every sample as CSV, all of it as JSON, and a picture. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bound, Point, Verdict } from './judge.ts';
import type { Sample } from './sample.ts';

export interface Taken {
  readonly atMs: number;
  /** Which turn of looking at all nodes it belongs to. */
  readonly round: number;
  readonly node: string;
  readonly sample: Sample;
}

export interface SoakReport {
  readonly format: 1;
  readonly at: string;
  readonly ok: boolean;
  readonly minutes: number;
  readonly warmUpMinutes: number;
  readonly options: object;
  readonly counts: Readonly<Record<string, number>>;
  /** Sentences about what did not hold. */
  readonly failures: readonly string[];
  readonly verdicts: readonly Verdict[];
}

const mib = 1024 * 1024;
const texts: Record<Bound['unit'], (value: number) => string> = {
  bytes: value => `${(value / mib).toFixed(1)} MiB`,
  count: value => value.toFixed(0),
  ms: value => `${value.toFixed(1)} ms`,
};

export function renderTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(verdict => {
    const text = texts[verdict.unit];
    const bound = verdict.perHourMax === undefined ? '-' : text(verdict.perHourMax);
    const ceiling = verdict.ceiling === undefined ? '-' : text(verdict.ceiling);
    const { figure, node, mean, max, perHour } = verdict;
    return [
      ...[figure, node, text(mean), text(max), ceiling, text(perHour), bound],
      verdict.ok ? 'ok' : 'FAILS',
    ];
  });
  const all = [['FIGURE', 'NODE', 'MEAN', 'MAX', 'AT MOST', 'PER HOUR', 'AT MOST', ''], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}

export const pointsOf = (taken: readonly Taken[], node: string, figure: string): Point[] =>
  taken.flatMap(({ atMs, node: of, sample }) => {
    const value = sample[figure];
    return of === node && value !== undefined ? [{ atMs, value }] : [];
  });

/** Sums over all nodes, of the rounds in which each of them could be looked at. */
export function sumsOf(taken: readonly Taken[], nodes: number, figure: string): Point[] {
  const rounds = new Map<number, { atMs: number; value: number; nodes: number }>();
  for (const { atMs, round, sample } of taken) {
    const value = sample[figure];
    if (value === undefined) continue;
    const sum = rounds.get(round) ?? { atMs, value: 0, nodes: 0 };
    rounds.set(round, { ...sum, value: sum.value + value, nodes: sum.nodes + 1 });
  }
  return [...rounds.values()].filter(sum => sum.nodes === nodes);
}

function renderCsv(taken: readonly Taken[]): string {
  const names = [...new Set(taken.flatMap(({ sample }) => Object.keys(sample)))].sort();
  const rows = taken.map(({ atMs, node, sample }) =>
    [(atMs / 1_000).toFixed(1), node, ...names.map(name => sample[name] ?? '')].join(','),
  );
  return `${[['seconds', 'node', ...names].join(','), ...rows].join('\n')}\n`;
}

const width = 900;
const height = 110;
const colours = ['#2563eb', '#dc2626', '#16a34a', '#9333ea', '#ca8a04', '#0891b2', '#4b5563'];

/** A chart for each figure, a line for each node, zero at the bottom. */
function renderSvg(taken: readonly Taken[], verdicts: readonly Verdict[], warmUp: number): string {
  const figures = [...new Set(verdicts.map(({ figure }) => figure))];
  const nodes = [...new Set(taken.map(({ node }) => node))];
  const endMs = Math.max(1, ...taken.map(({ atMs }) => atMs));
  const x = (atMs: number): string => (60 + ((width - 80) * atMs) / endMs).toFixed(1);
  const parts = figures.flatMap((figure, place) => {
    const top = place * (height + 30) + 24;
    const lines = nodes.map(node => pointsOf(taken, node, figure));
    const most = Math.max(1, ...lines.flat().map(({ value }) => value));
    const unit = verdicts.find(verdict => verdict.figure === figure)!.unit;
    const y = (value: number): string => (top + height - (height * value) / most).toFixed(1);
    return [
      `<text x="4" y="${top - 6}">${figure}, up to ${texts[unit](most)}</text>`,
      `<rect x="60" y="${top}" width="${width - 80}" height="${height}" fill="none" stroke="#ccc"/>`,
      `<path d="M${x(warmUp)} ${top}v${height}" stroke="#999" stroke-dasharray="3"/>`,
      ...lines.map((points, at) => {
        const path = points.map(point => `${x(point.atMs)},${y(point.value)}`).join(' ');
        const colour = colours[at % colours.length];
        return `<polyline points="${path}" fill="none" stroke="${colour}"><title>${nodes[at]}</title></polyline>`;
      }),
    ];
  });
  const tall = figures.length * (height + 30) + 24;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" ` +
    `font-family="sans-serif" font-size="12">${parts.join('\n')}</svg>\n`
  );
}

export async function writeReport(
  dir: string,
  report: SoakReport,
  taken: readonly Taken[],
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'soak.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(dir, 'samples.csv'), renderCsv(taken));
  const svg = renderSvg(taken, report.verdicts, report.warmUpMinutes * 60_000);
  await writeFile(join(dir, 'soak.svg'), svg);
  await writeFile(join(dir, 'table.txt'), `${renderTable(report.verdicts)}\n`);
}
