/**
 * The picture of a run as one SVG: faults as bands across everything, a lane for each node with how
 * it was and how many shards it led, and below them what was acknowledged and how long that took,
 * on one axis of time. Pure text; every mark has a title for those who point at it.
 */
import type { Bucket, Lane, Report, ReportFault } from './report.ts';

const left = 74;
const width = 1_120;
const right = width - 16;
const rowHeight = 20;
const laneHeight = 30;
const laneGap = 8;
const chartHeight = 120;

/** Text that is safe in HTML and SVG. */
export const escapeText = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

const round = (value: number): string => String(Math.round(value * 10) / 10);

export const inSeconds = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${round(ms / 1_000)} s`;

type Scale = (ms: number) => number;

export function drawPicture(report: Report): string {
  const x: Scale = ms => left + ((right - left) * ms) / Math.max(1, report.endMs);
  const rows = packRows(report.faults, x);
  const rowCount = Math.max(1, ...rows.map(row => row + 1));
  const lanesTop = 24 + rowCount * rowHeight + 10;
  const ratesTop = lanesTop + report.lanes.length * (laneHeight + laneGap) + 26;
  const timesTop = ratesTop + chartHeight + 40;
  const bottom = timesTop + chartHeight;
  const height = bottom + 34;
  const parts = [
    ...axis(x, report.endMs, lanesTop - 6, bottom),
    ...report.faults.map(fault => band(fault, x, lanesTop - 6, bottom)),
    ...report.faults.map((fault, place) => faultBar(fault, x, 24 + rows[place]! * rowHeight)),
    ...report.lanes.flatMap((lane, place) =>
      drawLane(lane, x, lanesTop + place * (laneHeight + laneGap), report.shards),
    ),
    ...rateChart(report, x, ratesTop),
    ...timeChart(report, x, timesTop),
    edge(x(report.workEndMs), lanesTop - 6, bottom),
  ];
  const label = `${report.scenario}: ${report.lanes.length} nodes, ${inSeconds(report.endMs)}`;
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(label)}">` +
    `<text class="soft" x="4" y="${24 + 13}">faults</text>${parts.join('')}</svg>`
  );
}

/** The row of each fault, so that neither bars nor their words lie on one another. */
function packRows(faults: readonly ReportFault[], x: Scale): number[] {
  const ends: number[] = [];
  return faults.map(fault => {
    const from = x(fault.fromMs);
    const to = Math.max(x(fault.toMs), from + 6 + wordsOf(fault).length * 6.6);
    const free = ends.findIndex(end => end + 6 < from);
    const row = free === -1 ? ends.length : free;
    ends[row] = to;
    return row;
  });
}

const wordsOf = (fault: ReportFault): string =>
  `${fault.number} ${fault.kind} ${fault.nodes.join(' ')}`;

function titleOf(fault: ReportFault): string {
  const lasted = inSeconds(fault.toMs - fault.fromMs);
  return `<title>${escapeText(`${wordsOf(fault)} at ${inSeconds(fault.fromMs)} for ${lasted}`)}</title>`;
}

function band(fault: ReportFault, x: Scale, top: number, bottom: number): string {
  const from = x(fault.fromMs);
  const wide = Math.max(2, x(fault.toMs) - from);
  return (
    `<rect class="band" x="${round(from)}" y="${top}" width="${round(wide)}" ` +
    `height="${bottom - top}">${titleOf(fault)}</rect>`
  );
}

function faultBar(fault: ReportFault, x: Scale, top: number): string {
  const from = x(fault.fromMs);
  const wide = Math.max(3, x(fault.toMs) - from);
  const words = wordsOf(fault);
  // At the right end the words stand before the bar.
  const fits = from + 6 + words.length * 6.6 < width;
  const at = fits ? `x="${round(from)}"` : `x="${round(from + wide)}" text-anchor="end"`;
  return (
    `<g>${titleOf(fault)}<rect class="bar" x="${round(from)}" y="${top + 14}" ` +
    `width="${round(wide)}" height="4" rx="2"/>` +
    `<text ${at} y="${top + 11}">${escapeText(words)}</text></g>`
  );
}

function drawLane(lane: Lane, x: Scale, top: number, shards: number): string[] {
  const from = x(lane.spans[0]?.fromMs ?? 0);
  const parts = [
    `<text x="4" y="${top + 19}">${escapeText(lane.node)}</text>`,
    `<rect class="lane" x="${round(from)}" y="${top}" width="${round(right - from)}" height="${laneHeight}" rx="3"/>`,
    ledArea(lane, x, top, shards),
  ];
  for (const { fromMs, toMs, state } of lane.spans) {
    if (state === 'up') continue;
    const wide = Math.max(1.5, x(toMs) - x(fromMs));
    const title = `${lane.node} ${state} from ${inSeconds(fromMs)} to ${inSeconds(toMs)}`;
    parts.push(
      `<rect class="${state}" x="${round(x(fromMs))}" y="${top}" width="${round(wide)}" ` +
        `height="${laneHeight}" rx="2"><title>${escapeText(title)}</title></rect>`,
    );
    if (wide > state.length * 8 + 8) {
      const middle = round(x(fromMs) + wide / 2);
      parts.push(
        `<text class="on" x="${middle}" y="${top + 19}" text-anchor="middle">${state}</text>`,
      );
    }
  }
  return parts;
}

/** Shards that the node led, as a step line from the foot of its lane. */
function ledArea({ led, node, spans }: Lane, x: Scale, top: number, shards: number): string {
  const foot = top + laneHeight;
  const yOf = (count: number): number => foot - (count / Math.max(1, shards)) * laneHeight;
  let path = '';
  let last = foot;
  for (const { atMs, count } of led) {
    const at = round(x(atMs));
    path += `${path === '' ? 'M' : 'L'}${at} ${round(last)}L${at} ${round(yOf(count))}`;
    last = yOf(count);
  }
  if (path === '') return '';
  const end = round(x(spans.at(-1)?.toMs ?? 0));
  const first = round(x(led[0]!.atMs));
  const most = Math.max(...led.map(one => one.count));
  const title = `${node} led up to ${most} of ${shards} shards`;
  return (
    `<path class="lead" d="${path}L${end} ${round(last)}L${end} ${foot}L${first} ${foot}Z">` +
    `<title>${escapeText(title)}</title></path>`
  );
}

function axis(x: Scale, endMs: number, top: number, bottom: number): string[] {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
  const stepS = steps.find(step => endMs / 1_000 / step <= 14) ?? 1_200;
  const parts: string[] = [];
  for (let second = 0; second * 1_000 <= endMs; second += stepS) {
    const at = round(x(second * 1_000));
    parts.push(
      `<line class="grid" x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"/>`,
      `<text class="soft" x="${at}" y="${bottom + 18}" text-anchor="middle">${second} s</text>`,
    );
  }
  return parts;
}

const edge = (at: number, top: number, bottom: number): string =>
  `<g><title>from here on nothing is broken; what was taken is worked off</title>` +
  `<line class="edge" x1="${round(at)}" x2="${round(at)}" y1="${top}" y2="${bottom}"/></g>`;

interface Series {
  readonly name: string;
  readonly value: (bucket: Bucket) => number | undefined;
}

function rateChart(report: Report, x: Scale, top: number): string[] {
  const perSecond = (count: number): number => (count * 1_000) / report.bucketMs;
  const series: Series[] = [
    { name: 'acked', value: bucket => perSecond(bucket.acked) },
    { name: 'ended', value: bucket => perSecond(bucket.ended) },
  ];
  const values = report.buckets.flatMap(bucket => series.map(one => one.value(bucket) ?? 0));
  const most = roundUp(Math.max(1, ...values));
  const y = (value: number): number => top + chartHeight * (1 - value / most);
  return [
    heading('Tasks a second: acknowledged, ended', top),
    ...[0, most / 2, most].map(value => level(y(value), round(value))),
    ...series.map(one => polyline(report, one, x, y)),
  ];
}

function timeChart(report: Report, x: Scale, top: number): string[] {
  const series: Series[] = [
    { name: 'p50', value: bucket => bucket.p50Ms },
    { name: 'p99', value: bucket => bucket.p99Ms },
  ];
  const values = report.buckets.flatMap(bucket => series.map(one => one.value(bucket) ?? 1));
  // Powers of ten: from a few milliseconds to the length of a fault.
  const decades = Math.max(3, Math.ceil(Math.log10(Math.max(...values, 1))));
  const y = (value: number): number =>
    top + chartHeight * (1 - Math.log10(Math.max(1, value)) / decades);
  const levels = Array.from({ length: decades + 1 }, (_, place) => 10 ** place);
  return [
    heading('Time until a submit is acknowledged, repeats included: median, 99 %', top),
    ...levels.map(value => level(y(value), inSeconds(value))),
    ...series.map(one => polyline(report, one, x, y)),
  ];
}

/** 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find(step => step * power >= value) ?? 10);
}

const heading = (text: string, top: number): string =>
  `<text class="soft" x="${left}" y="${top - 10}">${text}</text>`;

const level = (y: number, text: string): string =>
  `<line class="grid" x1="${left}" x2="${right}" y1="${round(y)}" y2="${round(y)}"/>` +
  `<text class="soft" x="${left - 8}" y="${round(y + 4)}" text-anchor="end">${text}</text>`;

/** A line with gaps where there is nothing to be shown; a lone value is a dash. */
function polyline(
  { buckets, bucketMs }: Report,
  { name, value }: Series,
  x: Scale,
  y: (value: number) => number,
): string {
  let path = '';
  let open = false;
  for (const bucket of buckets) {
    const found = value(bucket);
    if (found === undefined) {
      open = false;
      continue;
    }
    const at = `${round(x(bucket.fromMs + bucketMs / 2))} ${round(y(found))}`;
    path += open ? `L${at}` : `M${at}h1`;
    open = true;
  }
  return path === '' ? '' : `<path class="series s-${name}" d="${path}"/>`;
}
