/**
 * What a soak found, judged: for every figure of every node the straight line that fits it best
 * after the warm-up (of a saw: its highest values), what it would grow in an hour, and whether that
 * and the highest value are within bounds. Pure.
 */

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface Bound {
  /** Name of the figure. */
  readonly figure: string;
  readonly unit: 'bytes' | 'count' | 'ms';
  /**
   * `cluster`: the sum over all nodes is judged, for what moves from one node to another, or swings
   * on each out of step with the others, and is flat in all.
   */
  readonly of?: 'cluster' | undefined;
  /**
   * `highs`: what fills up and is given back at once, again and again, grows as its highest values
   * do. A line through one and a half teeth of a saw rises or falls with where it begins.
   */
  readonly by?: 'highs' | undefined;
  /** Growth in an hour: so much, or so large a part of the mean, whichever is more. */
  readonly perHour?: { readonly amount: number; readonly part: number } | undefined;
  readonly ceiling?: number | undefined;
}

export interface Verdict {
  readonly figure: string;
  readonly unit: Bound['unit'];
  /** Name of a node, or `all`. */
  readonly node: string;
  readonly mean: number;
  readonly max: number;
  readonly perHour: number;
  /** Of `perHour`; missing where growth is only bounded by the ceiling. */
  readonly perHourMax: number | undefined;
  readonly ceiling: number | undefined;
  readonly ok: boolean;
}

const mib = 1024 * 1024;

/** What a node may take. What only fills up to a bound of its own has a ceiling and no trend. */
export const bounds: readonly Bound[] = [
  // On one node it swings by the 64 MiB of the store's write buffer, which fills and is given back
  // over a quarter of an hour: a line through that says nothing of 10 MiB. Over all nodes it says
  // more, and `heapLive` is judged node by node.
  { figure: 'rss', unit: 'bytes', of: 'cluster', perHour: { amount: 10 * mib, part: 0.05 } },
  { figure: 'rss', unit: 'bytes', ceiling: 640 * mib },
  { figure: 'heapLive', unit: 'bytes', perHour: { amount: 5 * mib, part: 0.05 } },
  { figure: 'fds', unit: 'count', perHour: { amount: 8, part: 0 } },
  { figure: 'threads', unit: 'count', perHour: { amount: 4, part: 0 } },
  { figure: 'supervisorRss', unit: 'bytes', perHour: { amount: 10 * mib, part: 0.05 } },
  { figure: 'supervisorFds', unit: 'count', perHour: { amount: 8, part: 0 } },
  {
    // The store's log of what its write buffer holds: up to 64 MiB, then given back.
    figure: 'storeBytes',
    unit: 'bytes',
    by: 'highs',
    perHour: { amount: 32 * mib, part: 0.1 },
    ceiling: 1024 * mib,
  },
  {
    figure: 'logBytes',
    unit: 'bytes',
    perHour: { amount: 8 * mib, part: 0.1 },
    ceiling: 512 * mib,
  },
  // Counted where a shard is led, and leaderships move.
  { figure: 'settledKept', unit: 'count', of: 'cluster', perHour: { amount: 500, part: 0.1 } },
  // 10,000 attempts or 1 GiB of output are kept, and some spare directories.
  { figure: 'attemptEntries', unit: 'count', ceiling: 10_200 },
  { figure: 'attemptBytes', unit: 'bytes', ceiling: 1_100 * mib },
  { figure: 'journalBytes', unit: 'bytes', ceiling: 16 * mib },
  { figure: 'logFileBytes', unit: 'bytes', perHour: { amount: mib, part: 0 }, ceiling: 16 * mib },
  { figure: 'loopLagMs', unit: 'ms', perHour: { amount: 50, part: 1 } },
];

const hourMs = 3_600_000;

/** Growth in an hour of the line with the least squares; 0 of fewer than three points. */
export function growthPerHour(points: readonly Point[]): number {
  if (points.length < 3) return 0;
  const meanAt = points.reduce((sum, { atMs }) => sum + atMs, 0) / points.length;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  let across = 0;
  let along = 0;
  for (const { atMs, value } of points) {
    across += (atMs - meanAt) * (value - meanValue);
    along += (atMs - meanAt) ** 2;
  }
  return along === 0 ? 0 : (across / along) * hourMs;
}

/**
 * Growth in an hour from the highest value of the first half to that of the second: what remains
 * of a saw whose teeth are at most so long as such a half. 0 of fewer than four points.
 */
export function highsPerHour(points: readonly Point[]): number {
  if (points.length < 4) return 0;
  const fromMs = points[0]!.atMs;
  const halfMs = (points.at(-1)!.atMs - fromMs) / 2;
  const highest = (late: boolean): number =>
    points.reduce(
      (most, { atMs, value }) => (atMs - fromMs >= halfMs === late ? Math.max(most, value) : most),
      0,
    );
  return halfMs === 0 ? 0 : ((highest(true) - highest(false)) / halfMs) * hourMs;
}

/**
 * Where judging begins: after half of the run, 30 minutes at most. By then, with the load that a
 * soak has unless told otherwise, what fills up to a bound of its own has been full once: the write
 * buffer of the store (64 MiB), logs up to where they are truncated, and the heap of the process,
 * whose resident memory was seen to reach its highest after 33 minutes and to fall from there on.
 */
export const warmUpMs = (lengthMs: number): number => Math.min(lengthMs / 2, hourMs / 2);

/** `points` are those after the warm-up; a figure without any shows nothing, and fails. */
export function judge(bound: Bound, node: string, points: readonly Point[]): Verdict {
  const mean = points.reduce((sum, { value }) => sum + value, 0) / Math.max(1, points.length);
  const max = points.reduce((most, { value }) => Math.max(most, value), 0);
  const perHour = bound.by === 'highs' ? highsPerHour(points) : growthPerHour(points);
  const perHourMax = bound.perHour && Math.max(bound.perHour.amount, bound.perHour.part * mean);
  const ok =
    points.length > 0 &&
    (perHourMax === undefined || perHour <= perHourMax) &&
    (bound.ceiling === undefined || max <= bound.ceiling);
  const { figure, unit, ceiling } = bound;
  return { figure, unit, node, mean, max, perHour, perHourMax, ceiling, ok };
}
