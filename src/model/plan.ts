/**
 * Plans: what a tenant may ask of the cluster. A plan is kept in the registry as pairs of names and
 * texts, as settings are; what it does not say is as in the built-in plan of its name, and without
 * one it is not limited.
 */
import { limits } from './limits.ts';
import { formatSize, parseCpu, parseSize, type Tier, tiers } from './resources.ts';
import { formatDuration, parseDuration } from './time.ts';

/** Amounts that may be without a limit: `undefined`. */
export interface Plan {
  /** Tasks that may be submitted a second, on average, and at once. */
  readonly submitsPerSecond: number | undefined;
  readonly burst: number | undefined;
  /** Tasks that may be submitted in any hour. */
  readonly submitsPerHour: number | undefined;
  readonly waiting: number | undefined;
  readonly running: number | undefined;
  /** What assigned and running tasks hold together. */
  readonly cpuMilli: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Longest execution cap of a task. */
  readonly capMs: number | undefined;
  /** How long its settled tasks are kept, and how many: the settings of the cluster unless said. */
  readonly historyAgeMs: number | undefined;
  readonly historyCount: number | undefined;
  readonly tiers: readonly Tier[];
  /** Share of the cluster against the weights of other tenants. */
  readonly weight: number;
}

export type PlanField = keyof Plan;

/** Name and text of each value, as it is stored. */
export type PlanValues = readonly (readonly [name: string, text: string])[];

interface FieldKind {
  readonly meaning: string;
  /** `undefined` for a text that is not one. */
  readonly read: (text: string) => number | undefined;
  readonly write: (value: number) => string;
  readonly min: number;
  readonly max: number;
  readonly example: string;
}

const readCount = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;

const count = (meaning: string, max: number, min = 0): FieldKind => ({
  meaning,
  read: readCount,
  write: String,
  min,
  max,
  example: 'a whole number',
});

const formatCpu = (milli: number): string =>
  milli % 1_000 === 0 ? String(milli / 1_000) : `${milli}m`;

/** A size that reads back as the same number. */
const formatExactSize = (bytes: number): string => {
  const short = formatSize(bytes);
  return parseSize(short) === bytes ? short : String(bytes);
};

const amountMax = 2 ** 50;

/** Every field but `tiers`, which is a list. */
const numberFields: Readonly<Record<Exclude<PlanField, 'tiers'>, FieldKind>> = {
  submitsPerSecond: count('Tasks submitted a second, on average.', limits.submitsPerSecondMax, 1),
  burst: count('Tasks submitted at once; submitsPerSecond unless given.', limits.burstMax, 1),
  submitsPerHour: count('Tasks submitted in any hour.', limits.submitsPerHourMax, 1),
  waiting: count('Tasks that wait.', limits.planTasksMax),
  running: count('Tasks that are assigned or run.', limits.planTasksMax),
  cpuMilli: {
    meaning: 'CPUs that its tasks hold together.',
    read: parseCpu,
    write: formatCpu,
    min: 0,
    max: amountMax,
    example: 'CPUs such as 8 or 500m',
  },
  memoryBytes: {
    meaning: 'Memory that its tasks hold together.',
    read: parseSize,
    write: formatExactSize,
    min: 0,
    max: amountMax,
    example: 'a size such as 16GiB',
  },
  capMs: {
    meaning: 'Longest cap of a task; it is the cap of those that name none.',
    read: parseDuration,
    write: formatDuration,
    min: 1_000,
    max: limits.capMsMax,
    example: 'a duration such as 1h',
  },
  historyAgeMs: {
    meaning: 'How long settled tasks are kept; history.maxAge unless given.',
    read: parseDuration,
    write: formatDuration,
    min: limits.historyOwnMsMin,
    max: limits.historyMsMax,
    example: 'a duration such as 30d',
  },
  historyCount: count(
    'Settled tasks that are kept; what history.maxCount leaves unless given.',
    limits.historyCountMax,
    1,
  ),
  weight: count('Share of the cluster against other tenants.', limits.planWeightMax, 1),
};

/** What people call the fields. */
const fieldNames: Readonly<Record<PlanField, string>> = {
  submitsPerSecond: 'submitsPerSecond',
  burst: 'burst',
  submitsPerHour: 'submitsPerHour',
  waiting: 'waiting',
  running: 'running',
  cpuMilli: 'cpu',
  memoryBytes: 'memory',
  capMs: 'cap',
  historyAgeMs: 'historyAge',
  historyCount: 'historyCount',
  tiers: 'tiers',
  weight: 'weight',
};

const fields = Object.keys(fieldNames) as PlanField[];
const fieldByName = new Map(fields.map(field => [fieldNames[field], field]));

export const planFieldNames: readonly string[] = fields.map(field => fieldNames[field]);

/** The word for an amount that is not limited. */
const unlimitedText = 'none';

const tiersMeaning = 'Tiers that its tasks may ask for, separated by commas.';

export const planMeaning = (name: string): string => {
  const field = fieldByName.get(name);
  if (field === undefined) return '';
  return field === 'tiers' ? tiersMeaning : numberFields[field].meaning;
};

const unlimited: Plan = {
  submitsPerSecond: undefined,
  burst: undefined,
  submitsPerHour: undefined,
  waiting: undefined,
  running: undefined,
  cpuMilli: undefined,
  memoryBytes: undefined,
  capMs: undefined,
  historyAgeMs: undefined,
  historyCount: undefined,
  tiers,
  weight: 4,
};

const hourMs = 3_600_000;
const gib = 1024 ** 3;

/** Plans that are always there; what an administrator sets stands over them. */
const builtIn: ReadonlyMap<string, Plan> = new Map([
  [
    'free',
    {
      submitsPerSecond: 5,
      burst: 50,
      submitsPerHour: 1_000,
      waiting: 1_000,
      running: 10,
      cpuMilli: 4_000,
      memoryBytes: 8 * gib,
      capMs: hourMs,
      historyAgeMs: undefined,
      historyCount: 10_000,
      tiers: ['basic'],
      weight: 1,
    },
  ],
  [
    'standard',
    {
      submitsPerSecond: 50,
      burst: 500,
      submitsPerHour: 50_000,
      waiting: 20_000,
      running: 100,
      cpuMilli: 64_000,
      memoryBytes: 128 * gib,
      capMs: 24 * hourMs,
      historyAgeMs: undefined,
      historyCount: undefined,
      tiers: ['basic', 'regular'],
      weight: 2,
    },
  ],
  [
    'premium',
    {
      ...unlimited,
      submitsPerSecond: 500,
      burst: 5_000,
      submitsPerHour: 1_000_000,
      waiting: 500_000,
      running: 2_000,
    },
  ],
  ['unlimited', unlimited],
]);

export const builtInPlans: readonly string[] = [...builtIn.keys()];

/** The tenant of the cluster's own tokens; always there. */
export const defaultTenant = 'default';
export const defaultTenantPlan = 'unlimited';
/** Plan of a tenant that is made without naming one. */
export const newTenantPlan = 'standard';

/** A value of a plan, spelled in one way, or what is wrong with it. */
export function parsePlanValue(
  name: string,
  text: string,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string } {
  const field = fieldByName.get(name);
  if (field === undefined) {
    const known = planFieldNames.join(', ');
    return { ok: false, why: `a plan has no "${name.slice(0, 64)}": it has ${known}` };
  }
  if (field === 'tiers') {
    const words = text.split(',').map(word => word.trim());
    const chosen = tiers.filter(tier => words.includes(tier));
    if (chosen.length > 0 && words.every(word => tiers.some(tier => tier === word))) {
      return { ok: true, text: chosen.join(',') };
    }
    return { ok: false, why: `tiers must be some of ${tiers.join(',')}, not "${cut(text)}"` };
  }
  const { read, write, min, max, example } = numberFields[field];
  if (field !== 'weight' && text.trim() === unlimitedText) return { ok: true, text: unlimitedText };
  const value = read(text);
  if (value !== undefined && value >= min && value <= max) return { ok: true, text: write(value) };
  const orNone = field === 'weight' ? '' : `, or ${unlimitedText}`;
  return {
    ok: false,
    why: `${name} must be ${example} from ${write(min)} to ${write(max)}${orNone}, not "${cut(text)}"`,
  };
}

const cut = (text: string): string => text.slice(0, 64);

/** The plan of that name with these values over it. What cannot be read counts as not said. */
export function planFrom(name: string, values: PlanValues | undefined): Plan {
  const plan: Record<PlanField, unknown> = { ...(builtIn.get(name) ?? unlimited) };
  for (const [fieldName, text] of values ?? []) {
    const field = fieldByName.get(fieldName);
    const parsed = parsePlanValue(fieldName, text);
    if (field === undefined || !parsed.ok) continue;
    if (field === 'tiers') plan[field] = parsed.text.split(',');
    else if (parsed.text === unlimitedText) plan[field] = undefined;
    else plan[field] = numberFields[field].read(parsed.text);
  }
  return plan as unknown as Plan;
}

/** Every field of a plan as people read it. */
export function formatPlan(plan: Plan): [name: string, text: string][] {
  return fields.map(field => {
    if (field === 'tiers') return [fieldNames[field], plan.tiers.join(',')];
    const value = plan[field];
    return [
      fieldNames[field],
      value === undefined ? unlimitedText : numberFields[field].write(value),
    ];
  });
}

/** Whether submits of the plan are counted at all. */
export const isMetered = (plan: Plan): boolean =>
  plan.submitsPerSecond !== undefined ||
  plan.submitsPerHour !== undefined ||
  plan.waiting !== undefined;

/** Whether what its tasks hold is bounded. */
export const boundsUse = (plan: Plan): boolean =>
  plan.running !== undefined || plan.cpuMilli !== undefined || plan.memoryBytes !== undefined;

/** Most that may be submitted at once; `undefined` without a limit a second. */
export const burstOf = (plan: Plan): number | undefined =>
  plan.submitsPerSecond === undefined ? undefined : (plan.burst ?? plan.submitsPerSecond);
