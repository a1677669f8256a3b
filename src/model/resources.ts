/** Resource amounts, all integers, and tiers. */

export interface Resources {
  /** Thousandths of a CPU. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Input/output operations a second. */
  readonly iops: number;
  /** Network bandwidth, bytes a second. */
  readonly bandwidth: number;
  /** How many TCP ports. */
  readonly ports: number;
}

/** TCP ports that a node offers to tasks, both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export const resourceNames = [
  'cpuMilli',
  'memoryBytes',
  'diskBytes',
  'iops',
  'bandwidth',
  'ports',
] as const satisfies readonly (keyof Resources)[];

export type ResourceName = (typeof resourceNames)[number];

export const noResources: Resources = {
  cpuMilli: 0,
  memoryBytes: 0,
  diskBytes: 0,
  iops: 0,
  bandwidth: 0,
  ports: 0,
};

export const sameResources = (left: Resources, right: Resources): boolean =>
  resourceNames.every(name => left[name] === right[name]);

export function addResources(left: Resources, right: Resources): Resources {
  return {
    cpuMilli: left.cpuMilli + right.cpuMilli,
    memoryBytes: left.memoryBytes + right.memoryBytes,
    diskBytes: left.diskBytes + right.diskBytes,
    iops: left.iops + right.iops,
    bandwidth: left.bandwidth + right.bandwidth,
    ports: left.ports + right.ports,
  };
}

/** So many times as much. */
export const timesResources = (one: Resources, times: number): Resources => ({
  cpuMilli: one.cpuMilli * times,
  memoryBytes: one.memoryBytes * times,
  diskBytes: one.diskBytes * times,
  iops: one.iops * times,
  bandwidth: one.bandwidth * times,
  ports: one.ports * times,
});

/** `left - right`; a component may become negative where a hint was stale. */
export function subtractResources(left: Resources, right: Resources): Resources {
  return {
    cpuMilli: left.cpuMilli - right.cpuMilli,
    memoryBytes: left.memoryBytes - right.memoryBytes,
    diskBytes: left.diskBytes - right.diskBytes,
    iops: left.iops - right.iops,
    bandwidth: left.bandwidth - right.bandwidth,
    ports: left.ports - right.ports,
  };
}

/** The first resource that `wanted` has more of than `free`, or `undefined` where all fit. */
export function firstShortage(wanted: Resources, free: Resources): ResourceName | undefined {
  for (const name of resourceNames) if (wanted[name] > free[name]) return name;
  return undefined;
}

/**
 * What an attempt may use at most where nobody said: what it holds, but of CPUs one at least. Tiers
 * give small tasks little of one, to pack them; on an idle machine they are to run all the same.
 */
export const defaultLimit = (name: ResourceName, held: number): number =>
  name === 'cpuMilli' ? Math.max(held, 1_000) : held;

export const tiers = ['basic', 'regular', 'premium'] as const;
export type Tier = (typeof tiers)[number];

/** 0 for basic, 1 for regular, 2 for premium: a node may run tasks of its rank and below. */
export const tierRank = (tier: Tier): number => tiers.indexOf(tier);

/** What a task gets that names a tier but no amounts. */
export const tierDefaults: Record<Tier, Resources> = {
  basic: { ...noResources, cpuMilli: 100, memoryBytes: 64 * 1024 * 1024 },
  regular: { ...noResources, cpuMilli: 1_000, memoryBytes: 512 * 1024 * 1024 },
  premium: { ...noResources, cpuMilli: 2_000, memoryBytes: 2 * 1024 * 1024 * 1024 },
};

const sizeUnits: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Reads `512MiB`, `4GiB`, `100MB`, `1024`; `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]{0,3})$/.exec(text.trim());
  if (!match) return undefined;
  const unit = sizeUnits[match[2]!];
  if (unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads CPUs: `2`, `0.5`, `250m`; thousandths, or `undefined`. */
export function parseCpu(text: string): number | undefined {
  const match = /^(\d{1,9})m$/.exec(text.trim());
  if (match) return Number(match[1]);
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text.trim())) return undefined;
  return Math.round(Number(text) * 1_000);
}

/** `512MiB`, `1.5GiB`: exact in binary units where possible. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 1024 ** 4],
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))}${unit}`;
  }
  return `${bytes}B`;
}
