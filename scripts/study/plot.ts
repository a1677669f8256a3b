/** Response times of the real scheduler as shares of the best, as a picture without scripts. */
import { type Cell, isOverload } from './cell.ts';

const width = 720;
const height = 300;
const left = 60;
const bottom = 250;
const top = 40;
const colours = { p50: '#3b6ea5', p99: '#c8553d' } as const;

const text = (x: number, y: number, words: string, anchor = 'middle'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`;

export function plotOf(all: readonly Cell[]): string {
  const cells = all.filter(({ load }) => !isOverload(load));
  const ratio = ({ real, omniscient }: Cell, at: 'p50' | 'p99'): number =>
    real.response[at] / omniscient.response[at];
  const most = Math.max(2, ...cells.flatMap(cell => [ratio(cell, 'p50'), ratio(cell, 'p99')]));
  const scale = (value: number): number => bottom - ((bottom - top) * value) / (most * 1.1);
  const step = (width - left - 20) / Math.max(1, cells.length);
  const lines = [1, 1.12, 2].map(value => {
    const y = scale(value);
    const line = `<line x1="${left}" x2="${width - 20}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/>`;
    return line + text(left - 8, y + 4, value.toFixed(2), 'end');
  });
  const bars = cells.flatMap((cell, number) =>
    (['p50', 'p99'] as const).map((at, place) => {
      const value = ratio(cell, at);
      const x = left + step * number + step * (0.18 + 0.34 * place);
      const y = scale(value);
      const bar =
        `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(step * 0.3).toFixed(1)}" ` +
        `height="${(bottom - y).toFixed(1)}" fill="${colours[at]}"/>`;
      return bar + text(x + step * 0.15, y - 5, value.toFixed(2));
    }),
  );
  const names = cells.map(({ nodes, load }, number) => {
    const x = left + step * (number + 0.5);
    const share = `${Math.round(load * 100)} %`;
    return text(x, bottom + 18, share) + text(x, bottom + 34, `${nodes} nodes`);
  });
  const legend =
    `<rect x="${left}" y="10" width="12" height="12" fill="${colours.p50}"/>` +
    text(left + 18, 20, 'p50 of the best (goal 1.12)', 'start') +
    `<rect x="${left + 220}" y="10" width="12" height="12" fill="${colours.p99}"/>` +
    text(left + 238, 20, 'p99 of the best (goal 2)', 'start');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      'font-family="sans-serif" font-size="12" fill="#333">',
    '<title>Response time against an omniscient scheduler</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<g stroke="#bbb" stroke-dasharray="4 3" stroke-width="0.7">${lines.join('')}</g>`,
    ...bars,
    ...names,
    legend,
    '</svg>',
    '',
  ].join('\n');
}
