/**
 * The settings of the cluster that an administrator may change while it runs. Each is kept in the
 * registry under its name, as the text that was given; what is missing there, or cannot be read by
 * this version, is the default.
 */
import { limits } from './limits.ts';
import { formatDuration, parseDuration } from './time.ts';

interface SettingKind {
  readonly kind: 'duration' | 'count';
  /** Milliseconds for durations. */
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly meaning: string;
}

const dayMs = 86_400_000;

export const clusterSettings = {
  'history.maxAge': {
    kind: 'duration',
    default: 7 * dayMs,
    min: limits.historyMsMin,
    max: limits.historyMsMax,
    meaning: 'How long a task stays in the history after it settled, unless a plan says so.',
  },
  'history.maxCount': {
    kind: 'count',
    default: 1_000_000,
    min: 100,
    max: limits.historyCountMax,
    meaning:
      'Settled tasks that the cluster keeps; beyond it those who have most lose their oldest.',
  },
  'offPeak.load': {
    kind: 'count',
    default: 80,
    min: 1,
    max: 100,
    meaning: 'Load of the cluster, percent of its capacity, over which off-peak tasks are held.',
  },
} as const satisfies Record<string, SettingKind>;

export type SettingName = keyof typeof clusterSettings;

export const settingNames = Object.keys(clusterSettings) as SettingName[];

export const isSettingName = (name: string): name is SettingName =>
  Object.hasOwn(clusterSettings, name);

/** Text of a value as people read it. */
export const formatSetting = (name: SettingName, value: number): string =>
  clusterSettings[name].kind === 'duration' ? formatDuration(value) : String(value);

const readValue = (name: SettingName, text: string): number | undefined => {
  if (clusterSettings[name].kind === 'duration') return parseDuration(text);
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
};

/** The value of a setting, or what is wrong with its text. */
export function parseSetting(name: SettingName, text: string): number | string {
  const { kind, min, max } = clusterSettings[name];
  const value = readValue(name, text);
  if (value !== undefined && value >= min && value <= max) return value;
  const what = kind === 'duration' ? 'a duration such as 7d' : 'a whole number';
  const range = `${formatSetting(name, min)} to ${formatSetting(name, max)}`;
  return `${name} must be ${what}, from ${range}, not "${text.slice(0, 64)}"`;
}

/** What holds where the registry has `text`, or nothing, under this name. */
export function settingOf(name: SettingName, text: string | undefined): number {
  const value = text === undefined ? undefined : parseSetting(name, text);
  return typeof value === 'number' ? value : clusterSettings[name].default;
}
