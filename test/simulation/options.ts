/**
 * What one seed stands for: the size of the cluster, its load, and which kinds of faults happen how
 * often. Each kind is on or off by a coin (swarm testing), so that no fault hides behind another.
 */
import type { Random } from '../../src/ports/clock.ts';
import { seededRandom } from './virtual-time.ts';

export interface SimOptions {
  readonly seed: number;
  /** Nodes that take part in the end. */
  readonly nodes: number;
  readonly shards: number;
  /** Nodes join one after another under load and faults, not before them. */
  readonly growUnderLoad: boolean;
  /** Events of the phase with faults. */
  readonly events: number;
  /** Mean virtual milliseconds between two faults, and between two requests of clients. */
  readonly faultEveryMs: number;
  readonly requestEveryMs: number;
  /** Kinds of faults that are on. */
  readonly faults: readonly FaultKind[];
  /** Clocks of machines run up to this many thousandths fast or slow. */
  readonly clockRatePerMille: number;
  readonly wallOffsetMs: number;
  readonly dropPercent: number;
  readonly duplicatePercent: number;
  readonly reorderPercent: number;
  readonly resetPerTenThousand: number;
  /** Frames, gossip and messages of streams that lose their last bytes on the way. */
  readonly truncatePerTenThousand: number;
  readonly delayMsMax: number;
  readonly slowDiskPerMillion: number;
  readonly failDiskPerMillion: number;
  /** Of 100 tasks so many run for seconds, long enough for their leases to matter. */
  readonly longTaskPercent: number;
  /** Partitions and pauses outlast leases. */
  readonly longFaults: boolean;
  /** Entries that stay when a log is truncated, which is soon; 0 for the usual limits. */
  readonly logEntriesKept: number;
  /** Replicas that a group is to have, as far as there are nodes. */
  readonly replication: number;
  /** The real store on a simulated LevelDB; else the store in memory. Both take as long. */
  readonly realStore: boolean;
  /** Somebody drains, removes and adds nodes meanwhile. */
  readonly operated: boolean;
  /** A node silent for this long is declared dead; the default of the program where missing. */
  readonly deadAfterMs?: number | undefined;
  /** Tasks ask for TCP ports; asked for by name. */
  readonly ports?: boolean | undefined;
  /** Settled tasks leave the history after this; the default of the program where missing. */
  readonly historyMs?: number | undefined;
  /**
   * Clocks run at half to twice the speed of others: far beyond what leases allow for, so that two
   * attempts of a task may overlap. Consensus has to hold all the same.
   */
  /** Clients also ask for gangs, which take much of the room there is. */
  readonly gangs?: boolean | undefined;
  readonly skewedClocks: boolean;
  /** Of 100 tasks so many have one of a few order keys; dead letters are replayed and purged. */
  readonly orderedPercent: number;
}

export const faultKinds = [
  'crash',
  'powerLoss',
  'stop',
  'supervisorCrash',
  'supervisorFreeze',
  'partition',
  'oneWay',
  'bridge',
  'pause',
  'reset',
  'transfer',
  'wipe',
  'machineFreeze',
  'slowDisk',
  'wallJump',
] as const;
/** Drawn from a stream of their own, in half of the seeds, so that the others stay as they were. */
export const laterFaultKinds = [
  /** Nodes are clogged one after the other, and released in another order. */
  'swizzle',
  /** Somebody else fills a disk: nearly, then perhaps altogether. */
  'diskFull',
  /** A disk lost batches in the middle, or has flipped bits. */
  'damage',
  /** A majority of the registry's voters is gone for a while. */
  'registryLoss',
  /** A write takes up to 50 s. */
  'stuckDisk',
] as const;
/** `rollback` is asked for by name: a copy of a disk from before its last restart comes back. */
export type FaultKind = (typeof faultKinds)[number] | (typeof laterFaultKinds)[number] | 'rollback';

const below = (random: Random, count: number): number =>
  Math.floor((random.uint32() / 2 ** 32) * count);

const pick = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)]!;

/** Everything that `seed` decides about a run. */
export function drawOptions(seed: number): SimOptions {
  const drawn = drawFirst(seed);
  // Of a stream of its own, as what is drawn from it came later.
  const random = seededRandom(seed, 'later');
  const coin = (): boolean => below(random, 2) === 0;
  const quiet = drawn.faults.length === 0;
  if (quiet || coin()) return drawn;
  const later = laterFaultKinds.filter(() => coin());
  const heavyLoss = below(random, 4) === 0;
  const operated = below(random, 3) === 0 && drawn.nodes > 3 && !drawn.growUnderLoad;
  return {
    ...drawn,
    faults: [...drawn.faults, ...later],
    dropPercent: heavyLoss ? 10 + below(random, 21) : drawn.dropPercent,
    delayMsMax: below(random, 8) === 0 ? 5_000 : drawn.delayMsMax,
    truncatePerTenThousand: coin() ? 1 + below(random, 100) : 0,
    replication: below(random, 3) === 0 ? 5 : 3,
    realStore: drawn.realStore || later.includes('damage'),
    operated,
    deadAfterMs: operated ? 10_000 : undefined,
  };
}

function drawFirst(seed: number): SimOptions {
  const random = seededRandom(seed, 'options');
  const coin = (): boolean => below(random, 2) === 0;
  const some = (value: () => number): number => (coin() ? value() : 0);
  const quiet = below(random, 12) === 0;
  // Long faults need time to matter: fewer of them, fewer requests, longer tasks.
  const longFaults = coin();
  return {
    seed,
    nodes: pick(random, [1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]),
    shards: pick(random, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 4, 4, 4, 8, 16, 32]),
    growUnderLoad: below(random, 4) === 0,
    events: 3_000 + below(random, 4_000),
    faultEveryMs: pick(random, longFaults ? [2_000, 4_000, 8_000] : [400, 1_000, 2_000, 4_000]),
    requestEveryMs: pick(random, longFaults ? [100, 300] : [20, 60, 200]),
    faults: quiet ? [] : faultKinds.filter(() => coin()),
    clockRatePerMille: some(() => 1 + below(random, 24)),
    wallOffsetMs: some(() => below(random, 1_500)),
    dropPercent: quiet ? 0 : some(() => 1 + below(random, 10)),
    duplicatePercent: quiet ? 0 : some(() => 1 + below(random, 10)),
    reorderPercent: quiet ? 0 : some(() => 1 + below(random, 10)),
    resetPerTenThousand: quiet ? 0 : some(() => 1 + below(random, 40)),
    truncatePerTenThousand: 0,
    delayMsMax: pick(random, [2, 20, 200, 1_000]),
    slowDiskPerMillion: some(() => below(random, 30_000)),
    failDiskPerMillion: quiet ? 0 : some(() => below(random, 300)),
    longTaskPercent: pick(random, longFaults ? [5, 60, 60] : [5, 5, 50]),
    longFaults,
    replication: 3,
    operated: false,
    // Of streams of their own: the other draws of a seed stay as they were.
    realStore: below(seededRandom(seed, 'store'), 2) === 0,
    logEntriesKept: pick(seededRandom(seed, 'log'), [0, 2, 10, 50]),
    historyMs: pick(seededRandom(seed, 'history'), [undefined, undefined, undefined, 10_000]),
    skewedClocks: below(random, 16) === 0,
    orderedPercent: 0,
  };
}

/** Circumstances that the draw makes rarely: they replace what the seed says. */
export const circumstances = {
  /** Partitions outlast leases, and tasks outlast partitions. */
  leases: {
    nodes: 3,
    shards: 2,
    skewedClocks: false,
    growUnderLoad: false,
    longFaults: true,
    longTaskPercent: 60,
    faults: ['partition'],
    faultEveryMs: 4_000,
    requestEveryMs: 200,
    events: 12_000,
  },
  /** The same, with frames that come twice, late and in another order, and nodes that restart. */
  lateFrames: {
    nodes: 3,
    shards: 2,
    skewedClocks: false,
    growUnderLoad: false,
    longFaults: true,
    longTaskPercent: 60,
    faults: ['crash', 'supervisorFreeze', 'bridge', 'transfer', 'stop'],
    faultEveryMs: 4_000,
    requestEveryMs: 200,
    reorderPercent: 20,
    duplicatePercent: 20,
    delayMsMax: 2_000,
    events: 20_000,
  },
  /** Tasks in lines, failing often, while leaders change and supervisors end. */
  ordered: {
    nodes: 3,
    shards: 4,
    skewedClocks: false,
    growUnderLoad: false,
    orderedPercent: 60,
    longTaskPercent: 10,
    faults: ['crash', 'supervisorCrash', 'partition', 'transfer', 'pause'],
    faultEveryMs: 2_000,
    requestEveryMs: 60,
    events: 10_000,
  },
  /** Everything at once, all the time. */
  storm: {
    nodes: 3,
    shards: 4,
    faults: [...faultKinds, ...laterFaultKinds],
    faultEveryMs: 400,
    longFaults: false,
    failDiskPerMillion: 3_000,
    dropPercent: 5,
    duplicatePercent: 10,
    reorderPercent: 20,
    truncatePerTenThousand: 20,
    realStore: true,
    events: 12_000,
  },
  /** A third of all frames is lost, some are cut short, and links are clogged. */
  badLinks: {
    nodes: 3,
    shards: 2,
    growUnderLoad: false,
    faults: ['swizzle', 'reset', 'oneWay', 'transfer'],
    faultEveryMs: 2_000,
    longFaults: false,
    dropPercent: 30,
    truncatePerTenThousand: 200,
    delayMsMax: 5_000,
    events: 12_000,
  },
  /** Disks that lose what they had, run full, stand still and fail, under the real store. */
  badDisks: {
    nodes: 3,
    shards: 2,
    growUnderLoad: false,
    faults: ['damage', 'diskFull', 'stuckDisk', 'slowDisk', 'crash', 'powerLoss'],
    faultEveryMs: 2_000,
    requestEveryMs: 60,
    longFaults: false,
    failDiskPerMillion: 500,
    realStore: true,
    events: 12_000,
  },
  /** Logs so short that whoever misses a moment is sent the state. */
  shortLogs: {
    nodes: 3,
    shards: 2,
    faults: ['crash', 'powerLoss', 'partition', 'pause', 'stop', 'transfer', 'reset', 'wipe'],
    faultEveryMs: 1_000,
    requestEveryMs: 20,
    resetPerTenThousand: 20,
    logEntriesKept: 2,
    events: 12_000,
  },
  /** Settled tasks leave the history while their nodes fail and their leaders change. */
  history: {
    nodes: 3,
    shards: 2,
    skewedClocks: false,
    faults: ['crash', 'powerLoss', 'stop', 'transfer', 'partition', 'wipe'],
    faultEveryMs: 2_000,
    requestEveryMs: 100,
    longFaults: false,
    longTaskPercent: 5,
    historyMs: 10_000,
    events: 20_000,
  },
  /** A machine comes back with an old copy of its disk; it has to refuse. */
  rollback: {
    nodes: 3,
    shards: 2,
    growUnderLoad: false,
    faults: ['rollback', 'transfer', 'crash'],
    faultEveryMs: 1_000,
    requestEveryMs: 60,
    longFaults: false,
    skewedClocks: false,
    longTaskPercent: 5,
    events: 20_000,
  },
  /** Gangs that want the same room, of several leaders, while nodes fail and leaders change. */
  gangs: {
    nodes: 4,
    shards: 4,
    gangs: true,
    skewedClocks: false,
    growUnderLoad: false,
    faults: ['crash', 'powerLoss', 'stop', 'transfer', 'supervisorCrash', 'partition', 'pause'],
    faultEveryMs: 1_000,
    requestEveryMs: 60,
    longFaults: false,
    longTaskPercent: 5,
    events: 15_000,
  },
  /** Many groups on many nodes. */
  wide: {
    nodes: 7,
    shards: 32,
    skewedClocks: false,
    growUnderLoad: false,
    faults: ['crash', 'partition', 'oneWay', 'machineFreeze', 'slowDisk', 'transfer'],
    faultEveryMs: 1_000,
    requestEveryMs: 60,
    longFaults: false,
    events: 20_000,
  },
  /** Five nodes join one after another while others fail. */
  growth: {
    nodes: 5,
    shards: 4,
    growUnderLoad: true,
    faults: ['crash', 'powerLoss', 'partition', 'pause', 'stop'],
    faultEveryMs: 1_000,
    events: 12_000,
  },
} as const satisfies Record<string, Partial<SimOptions>>;
export type Circumstances = keyof typeof circumstances;

export const isCircumstances = (name: string): name is Circumstances =>
  Object.hasOwn(circumstances, name);

/** One line that a person can read. */
export function describeOptions(options: SimOptions): string {
  const { seed, faults, ...rest } = options;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
  return `seed ${seed}: ${fields.join(' ')} faults=${faults.join(',') || 'none'}`;
}
